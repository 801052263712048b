/**
 * `timeout`: `connect` bounds a connect attempt, `recv` the time from the program's bytes to the first byte back. Fast enough operations
 * are not disturbed; one that is not done by then fails with ETIMEDOUT at exactly that time. The relay arms both: it knows when the real
 * peer answers.
 */
import { decisionAt } from "../decisions.ts";
import type { Position } from "../draw.ts";
import type { Decision } from "../types.ts";

export function timeoutDecision(at: Position, atNs: number, delayNs: number): Decision {
  return decisionAt(at, atNs, 0, "timeout", "ETIMEDOUT", delayNs, "ETIMEDOUT");
}
