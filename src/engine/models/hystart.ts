/**
 * HyStart: leaves slow start before the queue overflows (Ha and Rhee, "Taming the elephants", Computer Networks 55, 2011), as Linux's
 * CUBIC does it. Two signs, looked for once per round trip: acknowledgements that arrive closely spaced for longer than half the least
 * round trip, and round trips that have become longer.
 */
const MS_NS = 1e6;
const LOW_WINDOW = 16;
const TRAIN_GAP_NS = 2 * MS_NS;
/** What batching of acknowledgements may add to a train. */
const BATCHING_NS = MS_NS;
const MIN_SAMPLES = 8;
const DELAY_MIN_NS = 4 * MS_NS;
const DELAY_MAX_NS = 16 * MS_NS;

export class HyStart {
  #roundEnd = 0;
  #roundStartNs = 0;
  #lastAckNs = 0;
  #samples = 0;
  #roundRttNs = Infinity;

  /** True when slow start should end at this acknowledgement. */
  sample(cwnd: number, rttNs: number, minRttNs: number, nowNs: number, unacked: number, unsent: number): boolean {
    if (unacked > this.#roundEnd) {
      this.#roundEnd = unsent;
      this.#roundStartNs = nowNs;
      this.#lastAckNs = nowNs;
      this.#samples = 0;
      this.#roundRttNs = Infinity;
    }
    if (cwnd < LOW_WINDOW) return false;
    let found = false;
    if (nowNs - this.#lastAckNs <= TRAIN_GAP_NS) {
      this.#lastAckNs = nowNs;
      found = nowNs - this.#roundStartNs > (minRttNs + BATCHING_NS) / 2;
    }
    this.#roundRttNs = Math.min(this.#roundRttNs, rttNs);
    if (this.#samples < MIN_SAMPLES) this.#samples++;
    else found ||= this.#roundRttNs > minRttNs + Math.min(Math.max(minRttNs / 8, DELAY_MIN_NS), DELAY_MAX_NS);
    return found;
  }
}
