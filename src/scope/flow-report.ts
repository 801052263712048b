/** What a report says of one flow: whom it went to, and why the policy governs it, or does not. */
import type { PolicyFields } from "../policy/fields.ts";
import type { CompiledPolicy } from "../policy/types.ts";
import type { FlowInfo } from "./record.ts";

/** One of the policy's target rules. */
export interface RuleReport {
  /** Index in `targets`. */
  readonly index: number;
  /** As it was written. */
  readonly text: string;
}

/**
 * What a rule knew a flow by: its address; a network that has it; the host name that the program asked for; the name that the address was
 * looked up by, in the scope or (a guess) by anybody; the server name of TLS. `no targets`: the policy has none, and governs every flow.
 */
export type FlowMatch = "no targets" | "address" | "network" | "host name" | "looked-up name" | "guessed name" | "server name";

/** Why a policy leaves a flow alone. */
export type LeftAlone = "no rule matched" | "a rule excludes it" | "skip or times" | "it was open before";

/** One flow of a scope. */
export interface FlowReport {
  /** The name that is the same in every run, e.g. `api.example:443` or `127.0.0.1:#0`; a lookup's is the host name alone. */
  readonly target: string;
  /**
   * Ordinal among the flows of the scope to this target. Those that were open before the scope, and that it ignored or dropped
   * (`existingConnections`), count down from -1.
   */
  readonly flow: number;
  /** What was connected to or looked up, or what the address was looked up by before. */
  readonly hostname: string | null;
  /** Whether the host name is a guess: it was looked up for this address, but not in this scope. */
  readonly guessed: boolean;
  /** Empty for a lookup, whose port is 0. */
  readonly address: string;
  readonly port: number;
  /** Whether the policy governs the flow; null while it has not been judged. */
  readonly governed: boolean | null;
  /** What the rule that decided knew the flow by; null where none did, and while the flow has not been judged. */
  readonly matched: FlowMatch | null;
  /** Why the policy does not govern the flow; null where it does. */
  readonly leftAlone: LeftAlone | null;
  /** Uses of the flow (its connect, its requests) that the policy left alone because of its `skip` or `times`. */
  readonly skipped: number;
  /** The rule that decided; null where the policy has no targets or none matched. */
  readonly rule: RuleReport | null;
  /** How many of the events that were kept are this flow's. */
  readonly events: number;
}

export function flowReport(flow: FlowInfo, policy: CompiledPolicy, fields: PolicyFields, events: number): FlowReport {
  return {
    target: flow.target,
    flow: flow.ordinal,
    hostname: flow.hostname ?? null,
    guessed: flow.guessed ?? false,
    address: flow.address,
    port: flow.port,
    governed: flow.governs ?? null,
    matched: flowMatch(flow, policy),
    leftAlone: flow.governs === false ? leftAlone(flow) : null,
    skipped: flow.skipped ?? 0,
    rule: flow.rule < 0 ? null : { index: flow.rule, text: ruleText(fields, flow.rule) },
    events,
  };
}

export function ruleText(fields: PolicyFields, index: number): string {
  const rule = fields.targets?.[index];
  return typeof rule === "string" ? rule : (JSON.stringify(rule) ?? "");
}

function flowMatch({ governs, rule: index, guessed }: FlowInfo, { targets }: CompiledPolicy): FlowMatch | null {
  const rule = targets?.find((other) => other.index === index);
  if (rule === undefined) return governs === true && targets === undefined ? "no targets" : null;
  if (rule.cidr !== undefined) return rule.cidr.prefix === 128 ? "address" : "network";
  if (rule.sni !== undefined) return "server name";
  if (guessed === undefined) return "host name";
  return guessed ? "guessed name" : "looked-up name";
}

function leftAlone({ existing, skipped, rule }: FlowInfo): LeftAlone {
  if (existing === true) return "it was open before";
  if (rule >= 0) return "a rule excludes it";
  return (skipped ?? 0) > 0 ? "skip or times" : "no rule matched";
}
