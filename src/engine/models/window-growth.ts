/**
 * What congestion control algorithms have in common: when they are asked, and what they may set. `reno.ts` and `cubic.ts` are the two.
 */

/** The part of a window that an algorithm grows. All in segments. */
export interface GrowingWindow {
  cwnd: number;
  /** Below it slow start, above it congestion avoidance. */
  ssthresh: number;
  /** Acknowledged segments that have not made the window grow yet. */
  credit: number;
}

export interface CongestionControl {
  /** A round-trip sample; `unacked` and `unsent` are the first such segments' sequences. Before `grow`. */
  sample(window: GrowingWindow, rttNs: number, nowNs: number, unacked: number, unsent: number): void;
  /** `acked` segments were acknowledged while the window was used in full. */
  grow(window: GrowingWindow, acked: number, nowNs: number): void;
  /** The slow start threshold after a loss at a window of `cwnd`. */
  reduced(cwnd: number): number;
  /** The retransmission timer fired. */
  timedOut(): void;
  /** The sender sends again after it had nothing in flight for so long. */
  resumed(idleNs: number, nowNs: number): void;
}

/** Slow start: one segment more for each that was acknowledged. Returns what is left beyond the threshold. */
export function slowStart(window: GrowingWindow, acked: number): number {
  const cwnd = Math.min(window.cwnd + acked, window.ssthresh);
  const left = acked - (cwnd - window.cwnd);
  window.cwnd = cwnd;
  return left;
}

/** One segment more for each `perSegment` that were acknowledged (Linux: `tcp_cong_avoid_ai`). */
export function additiveIncrease(window: GrowingWindow, acked: number, perSegment: number): void {
  // Credit from a time when more was asked for is worth one segment.
  if (window.credit >= perSegment) {
    window.credit = 0;
    window.cwnd++;
  }
  window.credit += acked;
  if (window.credit < perSegment) return;
  const more = Math.floor(window.credit / perSegment);
  window.credit -= more * perSegment;
  window.cwnd += more;
}
