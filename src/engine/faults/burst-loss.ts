/**
 * `burst_loss`: after a loss, `length` packets in total are lost in a row. It concerns first transmissions in packet order, so that it
 * replays; retransmissions draw on their own. A renewal process: of every 1/p − 1 + B packets B are lost, a share of Bp/(1+(B−1)p).
 */
export class BurstLoss {
  #left = 0;

  /** A packet was lost by its own draw: a burst of `length` begins with it. */
  begin(length: number): void {
    this.#left = length - 1;
  }

  /** Whether the next packet falls into a running burst. */
  takesNext(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    return true;
  }
}
