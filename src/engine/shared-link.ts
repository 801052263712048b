/**
 * A link that several flows share (`rate_share: scope`): one queue, first in first out, with a bound.
 *
 * While the queue is longer than the bound, flows wait with their packets, and take turns when there is room again: so one bulk transfer
 * delays the packets of others by the bound and no more, and n bulk transfers get an n-th of the rate each.
 */
import { type Feeder, Link } from "./faults/rate.ts";
import type { SeverityAt } from "./faults/loss.ts";

/**
 * The queue of a bottleneck: 100 ms, which is what the buffers of slow links are dimensioned for (about one round trip across a continent),
 * and at least ten packets (the first flight of a TCP sender, RFC 6928), which on slow links take longer.
 */
const QUEUE_NS = 100e6;
const QUEUE_BYTES = 10 * 1460;

export class SharedLink extends Link {
  readonly #queueNs: number;
  /** Those who wait with packets, in the order of their turns. */
  readonly #waiting = new Set<Feeder>();
  #serving = false;

  constructor(rateBps: number, severityAt?: SeverityAt) {
    super(rateBps, severityAt);
    this.#queueNs = Math.max(QUEUE_NS, this.durationNs(QUEUE_BYTES));
  }

  override get shared(): boolean {
    return true;
  }

  /** Half the queue is left by then: time enough to come late and still keep the link busy. */
  override get opensAtNs(): number {
    return this.freeAtNs - this.#queueNs / 2;
  }

  override feed(feeder: Feeder, nowNs: number): void {
    this.#waiting.add(feeder);
    if (this.#serving) return;
    this.#serving = true;
    for (const next of this.#waiting) {
      if (this.freeAtNs - nowNs >= this.#queueNs) break;
      // Whoever has more goes to the end of the line, which this loop comes to.
      this.#waiting.delete(next);
      if (next.sendNext(nowNs)) this.#waiting.add(next);
    }
    this.#serving = false;
  }

  /** Whoever waited is gone: what has not been sent never will be. */
  leave(feeder: Feeder): void {
    this.#waiting.delete(feeder);
  }
}
