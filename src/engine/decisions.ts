/** Builds decisions: one place, so that every record has the same shape (and V8 one hidden class for them). */
import type { Position } from "./draw.ts";
import type { CauseName } from "./registry.ts";
import type { Decision, FlowEvent } from "./types.ts";

export function decisionAt(
  at: Position,
  atNs: number,
  bytes: number,
  fault: CauseName,
  decision: string,
  delayNs: number,
  code?: string,
): Decision {
  const { direction, exchange, cell, split } = at;
  return { atNs, direction, exchange, cell, split, bytes, fault, decision, delayNs, code };
}

/**
 * A decision with what stands behind it. Written out, because for `{ ...decision, scope, flowHash }` Node 20 takes a hundred times as long: V8
 * makes a new hidden class for each object to which something is added after a spread.
 */
export function eventOf(made: Decision, scope: number, flowHash: bigint): FlowEvent {
  const { atNs, direction, exchange, cell, split, bytes, fault, decision, delayNs, code } = made;
  return { atNs, direction, exchange, cell, split, bytes, fault, decision, delayNs, code, scope, flowHash };
}

/** What a dry run's decisions begin with: they say what would have been done. */
export const DRY_RUN = "dry run: ";

/** Whether a decision changed something: `recovered` reports the delay of a loss that was counted, and a dry run does nothing. */
export function isInjection(decision: string): boolean {
  return decision !== "recovered" && !decision.startsWith(DRY_RUN);
}
