/**
 * `jitter`: extra one-way delay, uniform in [0, jitter], drawn once per packet (retransmissions of the packet keep it). On a TCP flow the
 * order stays: a packet that would overtake waits for its predecessor, release_i = max(release_{i-1}, deliver_i) (link model §1, §3).
 */
import { decisionAt } from "../decisions.ts";
import type { Draws, Position } from "../draw.ts";
import type { Decision } from "../types.ts";

/** Whole nanoseconds, both ends included. */
export function drawJitterNs(draws: Draws, at: Position, jitterNs: number): number {
  if (jitterNs <= 0) return 0;
  return Math.min(jitterNs, Math.floor(draws.uniform(at, "jitter", 0) * (jitterNs + 1)));
}

export function jitterDecision(at: Position, nowNs: number, bytes: number, drawnNs: number): Decision {
  return decisionAt(at, nowNs, bytes, "jitter", "delay", drawnNs);
}
