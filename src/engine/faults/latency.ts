/**
 * `latency`: a constant one-way delay per packet and direction, after serialisation. A pure shift: it never reorders and costs no
 * bandwidth (link model §3: deliver = F + latency + jitter).
 */
import { decisionAt } from "../decisions.ts";
import type { Position } from "../draw.ts";
import type { Decision } from "../types.ts";

export function latencyDecision(at: Position, nowNs: number, bytes: number, latencyNs: number): Decision {
  return decisionAt(at, nowNs, bytes, "latency", "delay", latencyNs);
}
