/** The plaintext of one TLS flow: which scope's `payload_mutation` it goes through, as the flow is bound. */
import { concat } from "../engine/faults/mutate-bytes.ts";
import { Severity } from "../engine/faults/schedule.ts";
import type { Decision, Direction } from "../engine/types.ts";
import { DeadlineClock } from "../internal/deadline-clock.ts";
import { PlaintextMutation } from "../local/plaintext-mutation.ts";
import type { Later } from "../local/plaintext-mutation.ts";
import type { ScopeRecord } from "../scope/record.ts";
import type { Plaintext } from "../steer/router.ts";
import { readScope } from "../table/scopes.ts";
import { mayTouch } from "./flow-names.ts";
import type { FlowTarget, Named } from "./flow-names.ts";
import { recordLocal } from "./local-events.ts";
import type { LocalEventHost } from "./local-events.ts";

/** One for all flows of the thread: it has at most one timer. */
const clock = new DeadlineClock("normal");

interface BoundFlow extends FlowTarget {
  readonly record: ScopeRecord | undefined;
  readonly named: Named | undefined;
}

/** Whether a live scope mutates the flow. Rules on server names were judged by the relay, when it saw the hello. */
export function mutating(flow: BoundFlow): boolean {
  const { record, named } = flow;
  if (record?.live !== true || record.policy.faults.mutation === undefined) return false;
  const byName = record.policy.targets?.some(({ sni }) => sni !== undefined) === true;
  return byName ? named?.info.governs === true : mayTouch(record.policy, flow);
}

export class FlowPlaintext implements Plaintext {
  readonly #host: LocalEventHost;
  #flowHash: bigint | undefined;
  #mutation: PlaintextMutation | undefined;
  /** Of the binding before, and to be handed on first. */
  readonly #left: [up: Uint8Array[], down: Uint8Array[]] = [[], []];

  constructor(host: LocalEventHost) {
    this.#host = host;
  }

  /** What mutates the flow: the scope that it is bound to, and its name there; undefined: nothing. */
  bind(named: Named | undefined): void {
    const flowHash = named?.key.flowHash;
    if (flowHash === this.#flowHash) return;
    for (const direction of [0, 1] as const) this.#left[direction].push(...(this.#mutation?.rest(direction) ?? []));
    this.#flowHash = flowHash;
    this.#mutation = named === undefined ? undefined : this.#mutate(named.record, named.key.flowHash);
  }

  #mutate(record: ScopeRecord, flowHash: bigint): PlaintextMutation | undefined {
    const { mutation: fault, schedule } = record.policy.faults;
    const row = readScope(this.#host.table(), record.ref);
    if (fault === undefined || row === undefined) return undefined;
    return new PlaintextMutation({
      fault,
      key: { seed: row.seed, flowHash },
      severity: new Severity(schedule, row.anchorNs),
      clock,
      isLive: () => record.live,
      record: (decision: Decision) => recordLocal(this.#host, decision, record.ref, flowHash),
    });
  }

  pass(direction: Direction, bytes: Uint8Array, later: Later): Uint8Array {
    const out = this.#mutation?.pass(direction, bytes, later) ?? bytes;
    const left = this.#left[direction].splice(0);
    return left.length === 0 ? out : concat([...left, out]);
  }

  end(direction: Direction): Uint8Array {
    return concat([...this.#left[direction].splice(0), ...(this.#mutation?.rest(direction) ?? [])]);
  }

  stop(): void {
    this.#mutation?.stop();
  }
}
