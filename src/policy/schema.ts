/**
 * The schema of a policy: what is valid, what it becomes, and what the JSON Schema says.
 *
 * Owns: the list of fields and what must hold between them. Its input is in camelCase; `parse.ts` brings other spellings to it.
 */
import type { z } from "zod";
import * as faults from "./faults.ts";
import type { PolicyOf, Read, Written } from "./fields.ts";
import { choice, described, group, integer, seed, type GroupCheck } from "./leaves.ts";
import { mutationSchema } from "./mutation.ts";
import { scheduleSchema } from "./schedule.ts";
import { targetsSchema } from "./target-rules.ts";
import type { TargetRule } from "./types.ts";

const MAX_COUNT = Number.MAX_SAFE_INTEGER;

/** A rule that a lookup can be judged by: there is no port and no protocol yet. */
function isNameOnly(rule: TargetRule): boolean {
  return !rule.exclude && rule.hostname !== undefined && rule.ports === undefined && rule.protocol === "any";
}

/**
 * Every effect must be observable: some rule must be able to match what it acts on. Effects other than `dns` need any rule that is not
 * an exclusion, since every rule has a host, cidr, hostname or sni.
 */
const checkTargets: GroupCheck<PolicyOf<Read>> = ({ targets, dns }, refuse) => {
  if (targets === undefined) return;
  if (targets.every((rule) => rule.exclude)) {
    refuse(["targets"], "has exclusions only, which match nothing", "a rule without exclude: true");
  } else if (dns !== undefined && !targets.some(isNameOnly)) {
    refuse(["targets"], "has no rule that a dns effect can match", "a hostname rule without port and protocol, since the policy has dns");
  }
};

/** The schema of one policy, in camelCase. */
export const policySchema: z.ZodType<PolicyOf<Read>, PolicyOf<Written>> = group(
  {
    ...faults.directionShape,
    uplink: described(
      faults.directionSchema().optional(),
      "Faults of the direction app → peer; what is given here wins over the general fields.",
    ),
    downlink: described(
      faults.directionSchema().optional(),
      "Faults of the direction peer → app; what is given here wins over the general fields.",
    ),
    rateShare: choice(
      "`flow`: each connection has its own link; `scope`: all flows of the scope share one. Default flow.",
      ["flow", "scope"],
      {
        default: "flow",
      },
    ).optional(),
    congestion: choice("Window of the virtual TCP sender. Default cubic where packets are lost, none elsewhere.", [
      "reno",
      "cubic",
      "none",
    ]).optional(),
    correlatedLoss: described(
      faults.correlatedLossSchema.optional(),
      "Gilbert-Elliott loss; replaces `packetLoss`. All four probabilities are needed.",
    ),
    timeout: described(
      faults.timeoutSchema.optional(),
      "Limits that slow operations run into; operations that are fast enough are not disturbed.",
    ),
    connectionError: described(faults.connectionErrorSchema.optional(), "Connects that fail, and open flows that are reset."),
    halfOpen: described(faults.halfOpenSchema.optional(), "Flows that die in use, with an error or silently."),
    packetDuplicate: described(faults.packetDuplicateSchema.optional(), "Datagrams that arrive more than once."),
    packetReorder: described(faults.packetReorderSchema.optional(), "Packets that are overtaken by later ones."),
    dns: described(faults.dnsSchema.optional(), "Faults of name lookups; never of IP literals."),
    sessionBudget: described(
      faults.sessionBudgetSchema.optional(),
      "Limits per flow, and what happens over them. At least one limit is needed.",
    ),
    payloadMutation: described(mutationSchema.optional(), "Changes the bytes themselves. The only fault that does."),
    skip: integer("The policy leaves this many uses alone first. Default 0.", 0, MAX_COUNT, { default: 0 }).optional(),
    times: integer("The policy governs this many uses only. Default: all.", 1, MAX_COUNT).optional(),
    targets: described(
      targetsSchema.optional(),
      "Which flows the policy touches: texts such as `tcp://10.0.0.0/8:443`, or mappings. Default: all.",
    ),
    schedule: described(scheduleSchema.optional(), "When, and how severely, the faults act."),
    seed: seed("Whole number from 0 to 2^64-1: the same seed makes the same decisions. Default: the run's seed.").optional(),
  },
  checkTargets,
);
