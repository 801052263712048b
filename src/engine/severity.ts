/**
 * `schedule`: how severely a policy acts at a time, from 0 (not at all) to 1 (as written), and what that makes of its faults.
 *
 * Severity s multiplies probabilities, latency, jitter and the time per byte, so that a rate falls from unlimited to its value; a burst
 * is round(1 + (B − 1)·s). Everything else acts with probability s, once per flow.
 */
import type { CorrelatedLossFault, DirectionFaults, ScheduleFault } from "./types.ts";

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
