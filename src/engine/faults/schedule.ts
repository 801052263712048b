/**
 * `schedule`: how severely a policy acts at a time, from 0 (not at all) to 1 (as written), and what that makes of its faults.
 *
 * Severity s multiplies probabilities, latency, jitter and the time per byte, so that a rate falls from unlimited to its value; a burst
 * is round(1 + (B − 1)·s). Everything else acts with probability s, once per flow.
 */
import type { Draws, Position } from "../draw.ts";
import { FAULT_IDS, type FaultName } from "../registry.ts";
import type { CorrelatedLossFault, DirectionFaults, ScheduleFault } from "../types.ts";

const PPM = 1_000_000;
/** Not a packet: before all of them. */
const FLOW: Position = { direction: 0, exchange: -1, cell: 0, split: 0 };

/** The severity `elapsedNs` after the schedule's clock started. */
export function severityAt(schedule: ScheduleFault | undefined, elapsedNs: number): number {
  if (schedule === undefined) return 1;
  const at = Math.max(0, elapsedNs);
  switch (schedule.kind) {
    case "ramp":
      return Math.min(1, at / schedule.rampNs);
    case "spike":
      return at % schedule.everyNs < schedule.durationNs ? 1 : 0;
    case "flapping":
      return at % (schedule.onNs + schedule.offNs) < schedule.onNs ? 1 : 0;
  }
}

/** The faults of a direction at a severity. The same object at full severity. */
export function scaleDirection(faults: DirectionFaults, severity: number): DirectionFaults {
  if (severity === 1) return faults;
  const { duplicate, reorder } = faults;
  return {
    latencyNs: faults.latencyNs * severity,
    jitterNs: faults.jitterNs * severity,
    lossPpm: faults.lossPpm * severity,
    burst: Math.round(1 + (faults.burst - 1) * severity),
    // Time per byte is 8/rate: where that is 0, the rate has no end.
    rateBps: severity === 0 ? Infinity : faults.rateBps / severity,
    correlatedLoss: scaleCorrelatedLoss(faults.correlatedLoss, severity),
    congestion: faults.congestion,
    duplicate: duplicate && { ...duplicate, ppm: duplicate.ppm * severity },
    reorder: reorder && { ...reorder, ppm: reorder.ppm * severity },
  };
}

/** The losses are scaled, not the transitions: bursts stay as long as they are, and the share of lost packets is s times as much. */
function scaleCorrelatedLoss(loss: CorrelatedLossFault | undefined, severity: number): CorrelatedLossFault | undefined {
  return loss && { ...loss, lossGoodPpm: loss.lossGoodPpm * severity, lossBadPpm: loss.lossBadPpm * severity };
}

/** The schedule of a policy with its clock: what a flow asks how severe its faults are. Without a schedule they are as written, always. */
export class Severity {
  readonly #schedule: ScheduleFault | undefined;
  readonly #anchorNs: number;

  constructor(schedule: ScheduleFault | undefined, anchorNs: number) {
    this.#schedule = schedule;
    this.#anchorNs = anchorNs;
  }

  /** Whether the severity is 1 at all times. */
  get constant(): boolean {
    return this.#schedule === undefined;
  }

  /** Whether the severity jumps between 0 and 1; else it changes all the time, or never. */
  get steps(): boolean {
    return this.#schedule !== undefined && this.#schedule.kind !== "ramp";
  }

  at(nowNs: number): number {
    return severityAt(this.#schedule, nowNs - this.#anchorNs);
  }

  direction(faults: DirectionFaults, nowNs: number): DirectionFaults {
    return scaleDirection(faults, this.at(nowNs));
  }

  /** A probability at this time. */
  ppm(ppm: number, nowNs: number): number {
    return ppm * this.at(nowNs);
  }

  /**
   * Whether a fault that has no strength to scale (a timeout, a budget) acts on a flow at this time. It draws once per flow and fault: a
   * flow that a ramp has caught stays caught.
   */
  acts(draws: Draws, fault: FaultName, nowNs: number): boolean {
    return draws.hits(FLOW, "schedule", FAULT_IDS[fault], PPM * this.at(nowNs));
  }
}
