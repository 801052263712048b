/** `congestion: reno` (RFC 5681), counting acknowledged segments as Linux does, so that delayed acknowledgements do not slow it down. */
import { additiveIncrease, type CongestionControl, type GrowingWindow, slowStart } from "./window-growth.ts";

export class Reno implements CongestionControl {
  sample(): void {}

  grow(window: GrowingWindow, acked: number): void {
    const left = window.cwnd < window.ssthresh ? slowStart(window, acked) : acked;
    if (left > 0) additiveIncrease(window, left, window.cwnd);
  }

  reduced(cwnd: number): number {
    return Math.max(Math.floor(cwnd / 2), 2);
  }

  timedOut(): void {}

  resumed(): void {}
}
