/**
 * `dns`: what happens to one name lookup. `delay` comes on top of the time that the real lookup takes; `nxdomain` is rolled first and
 * fails when the delay is over; `timeout` hangs for exactly its time, whatever the delay, and fails then. A lookup that fails is never
 * made. Severity multiplies the delay and the probability; the timeout, which is all or nothing, acts with probability s.
 */
import { decisionAt } from "../decisions.ts";
import { Draws, type Position } from "../draw.ts";
import type { Severity } from "./schedule.ts";
import { type Decision, type DnsFault, type DrawKey, UPLINK } from "../types.ts";

/** Which of Node's interfaces was asked: the system's resolver (`dns.lookup`) or a DNS client (`dns.resolve…`). */
export type LookupKind = "lookup" | "resolver";

export type LookupErrorCode = "ENOTFOUND" | "EAI_AGAIN" | "ETIMEOUT";

export interface LookupFailure {
  readonly code: LookupErrorCode;
  /** Since the lookup was asked for. */
  readonly afterNs: number;
}

export interface LookupPlan {
  /** How long the answer is kept after it came; 0: not at all. */
  readonly delayNs: number;
  /** How the lookup fails; then it is not made. */
  readonly failure: LookupFailure | undefined;
}

/** Lookups have one position: each is a flow of its own. */
export const LOOKUP_EXCHANGE = -2;
const AT: Position = { direction: UPLINK, exchange: LOOKUP_EXCHANGE, cell: 0, split: 0 };

/** Draws what happens to a lookup that is asked for now. */
export function planLookup(fault: DnsFault, kind: LookupKind, key: DrawKey, severity: Severity, nowNs: number): LookupPlan {
  const draws = new Draws(key);
  const delayNs = fault.delayNs * severity.at(nowNs);
  if (draws.hits(AT, "dns", 0, severity.ppm(fault.nxdomainPpm, nowNs))) {
    return { delayNs, failure: { code: "ENOTFOUND", afterNs: delayNs } };
  }
  if (fault.timeoutNs !== undefined && severity.acts(draws, "dns", nowNs)) {
    return { delayNs: 0, failure: { code: kind === "lookup" ? "EAI_AGAIN" : "ETIMEOUT", afterNs: fault.timeoutNs } };
  }
  return { delayNs, failure: undefined };
}

/** The record of an answer that is kept. */
export function lookupDelayDecision(atNs: number, delayNs: number): Decision {
  return decisionAt(AT, atNs, 0, "dns", "delay", delayNs);
}

/** The record of a lookup that failed; the delay before it has a record of its own. */
export function lookupFailureDecision(atNs: number, { code, afterNs }: LookupFailure): Decision {
  return decisionAt(AT, atNs, 0, "dns", code, code === "ENOTFOUND" ? 0 : afterNs, code);
}
