/** Builds decisions: one place, so that every record has the same shape (and V8 one hidden class for them). */
import type { Position } from "./draw.ts";
import type { FaultName } from "./registry.ts";
import type { Decision } from "./types.ts";

export function decisionAt(
  at: Position,
  atNs: number,
  bytes: number,
  fault: FaultName,
  decision: string,
  delayNs: number,
  code?: string,
): Decision {
  const { direction, exchange, cell, split } = at;
  return { atNs, direction, exchange, cell, split, bytes, fault, decision, delayNs, code };
}
