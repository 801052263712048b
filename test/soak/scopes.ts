/** All ways of applying a fault to a call, taken at random. */
import { fault, faultScope, jitter, latency, policyContext, registerPolicy, withFaults, withoutFaults } from "faultcore";
import { DELAYS, ENDS, LOOKUPS } from "./faults.ts";
import type { Fault } from "./faults.ts";
import type { Random } from "./random.ts";

/** The names under which faults are registered, for the ways that need one. */
export function registerFaults(): void {
  for (const { name, fields } of [...DELAYS, ...ENDS, ...LOOKUPS]) registerPolicy(name, fields);
}

type Work = () => Promise<void>;
type Way = (one: Fault, work: Work, aside: Work) => Promise<void>;

const WAYS: Readonly<Record<string, Way>> = {
  withFaults: ({ fields }, work) => withFaults(fields, work),
  "withFaults, by name": ({ name }, work) => withFaults(name, work),
  faultScope: async ({ fields }, work) => {
    const scope = faultScope(fields);
    await scope.run(work);
    const { unsteered, state } = scope.report();
    if (unsteered > 0 || state !== "ended") throw new Error(`${unsteered} sockets were not steered, in a scope that is ${state}`);
  },
  fault: ({ fields }, work) => fault(fields)(work)(),
  "policyContext and fault": ({ name }, work) => policyContext(name).run(() => fault()(work)()),
  "nested in another": ({ fields }, work) => withFaults({ connectionError: { kind: "refused" } }, () => withFaults(fields, work)),
  "withoutFaults inside": ({ fields }, work, aside) =>
    withFaults(fields, async () => {
      await withoutFaults(aside);
      await work();
    }),
  "effects over it": ({ fields }, work) => withFaults(fields, () => latency("1ms")(jitter("1ms")(work))()),
};

export const WAY_NAMES: readonly string[] = Object.keys(WAYS);

/** `aside` is work on which no fault may act. */
export async function applied(random: Random, one: Fault, work: Work, aside: Work): Promise<void> {
  const way = random.pick(WAY_NAMES);
  // Effects take the place of what the policy says of them.
  const replaces = way === "effects over it" && one.leastMs !== undefined;
  await WAYS[replaces ? "withFaults" : way]!(one, work, aside);
}
