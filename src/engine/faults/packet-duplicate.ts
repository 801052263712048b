/**
 * `packet_duplicate`: a packet that is hit arrives once and then 1 to `maxExtra` further times. How often is drawn once per packet, uniform.
 * Every copy is a packet of its own behind the first: it is serialised, may be lost, and draws its own delay. On UDP the program gets all that
 * arrive; on a TCP stream the receiver throws copies away, so they only cost bandwidth.
 */
import { decisionAt } from "../decisions.ts";
import type { Draws, Position } from "../draw.ts";
import type { Decision, DuplicateFault } from "../types.ts";

/** Attempts of the fault's draws: whether the packet is hit, and how many copies follow it. */
const HIT = 0;
const COUNT = 1;

/** How many further times the packet at `at` arrives: 0 where it is not hit, else 1 to `maxExtra`. */
export function drawExtraCopies(draws: Draws, at: Position, fault: DuplicateFault | undefined): number {
  if (fault === undefined || !draws.hits(at, "packet_duplicate", HIT, fault.ppm)) return 0;
  if (fault.maxExtra === 1) return 1;
  return 1 + Math.min(fault.maxExtra - 1, Math.floor(draws.uniform(at, "packet_duplicate", COUNT) * fault.maxExtra));
}

/** `bytes` are those of the packet; the copies take as many each. */
export function duplicateDecision(at: Position, nowNs: number, bytes: number, extra: number): Decision {
  return decisionAt(at, nowNs, bytes, "packet_duplicate", `extra x${extra}`, 0);
}
