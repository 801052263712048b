/**
 * Which flows a policy governs: its rules judge a flow, and the highest of those that match decides.
 *
 * Owns: the order of rules. Never: how rules are written (`target-rules.ts`). Pure, and without regular expressions.
 */
import { networkHolds, parseAddress } from "./addresses.ts";
import { hostPatternMatches, normaliseHostname } from "./hostnames.ts";
import { portsHold } from "./ports.ts";
import type { TargetDecision, TargetRule, TargetSubject } from "./types.ts";

/** A subject, read once for all rules. */
interface ReadSubject {
  readonly protocol: "tcp" | "udp";
  readonly port: number;
  readonly address: readonly number[] | undefined;
  readonly hostname: string | undefined;
  readonly sni: string | undefined;
}

/**
 * Judges a flow by the rules of a policy.
 *
 * Of the rules that match, the one with the highest priority decides; ties go to the more specific (exact name, wildcard with the
 * longer name, network with the longer prefix; then a port over none, a protocol over any), then to the first. A policy without rules
 * governs every flow.
 *
 * @example
 * judgeTargets(policy.targets, { protocol: "tcp", address: "10.0.0.1", port: 443, hostname: "api.example" });
 */
export function judgeTargets(rules: readonly TargetRule[] | undefined, subject: TargetSubject): TargetDecision {
  if (rules === undefined) return { governs: true, rule: -1 };
  const flow: ReadSubject = {
    protocol: subject.protocol,
    port: subject.port,
    address: parseAddress(subject.address),
    hostname: readName(subject.hostname),
    sni: readName(subject.sni),
  };
  let best: TargetRule | undefined;
  for (const rule of rules) {
    if (matches(rule, flow) && (best === undefined || outranks(rule, best))) best = rule;
  }
  return best === undefined ? { governs: false, rule: -1 } : { governs: !best.exclude, rule: best.index };
}

/**
 * Judges a name lookup. It goes to no address and no port, and its protocol is nobody's business: only host name rules without port and
 * protocol can match it.
 *
 * @example
 * judgeLookup(policy.targets, "api.example");
 */
export function judgeLookup(rules: readonly TargetRule[] | undefined, hostname: string): TargetDecision {
  const nameOnly = rules?.filter((rule) => rule.hostname !== undefined && rule.ports === undefined && rule.protocol === "any");
  return judgeTargets(nameOnly, { protocol: "udp", address: "", port: 0, hostname });
}

/**
 * Whether `rule` beats `other` where both match; false on a tie, so that the first one stays.
 *
 * An SNI that is learnt late replaces an earlier decision only where its rule outranks that decision's.
 */
function outranks(rule: TargetRule, other: TargetRule): boolean {
  const mine = rank(rule);
  const theirs = rank(other);
  for (const [index, value] of mine.entries()) {
    const difference = value - theirs[index]!;
    if (difference !== 0) return difference > 0;
  }
  return false;
}

/** What decides between two rules that match, most important first; the bigger number wins. */
function rank(rule: TargetRule): readonly number[] {
  const name = rule.hostname ?? rule.sni;
  const kind = name === undefined ? 0 : rule.wildcard ? 1 : 2;
  const length = rule.cidr?.prefix ?? (rule.wildcard ? (name?.length ?? 0) : 0);
  return [rule.priority, kind, length, rule.ports === undefined ? 0 : 1, rule.protocol === "any" ? 0 : 1];
}

function matches(rule: TargetRule, flow: ReadSubject): boolean {
  if (rule.protocol !== "any" && rule.protocol !== flow.protocol) return false;
  if (rule.ports !== undefined && !portsHold(rule.ports, flow.port)) return false;
  if (rule.cidr !== undefined) return flow.address !== undefined && networkHolds(rule.cidr, flow.address);
  const [wanted, name] = rule.hostname === undefined ? [rule.sni, flow.sni] : [rule.hostname, flow.hostname];
  return wanted !== undefined && name !== undefined && hostPatternMatches({ name: wanted, wildcard: rule.wildcard }, name);
}

function readName(name: string | undefined): string | undefined {
  return name === undefined ? undefined : normaliseHostname(name);
}
