/** The way of a virtual sender's transmissions to the receiver, and of its acknowledgements back. Nothing overtakes on it. */
import { Fifo, type Segment } from "./segment.ts";

/** A transmission that gets through, on its way. */
interface Arrival {
  readonly segment: Segment;
  /** When an immediate acknowledgement of it reaches the sender. */
  readonly feedbackNs: number;
}

export class TcpPath {
  /** From delivery to the acknowledgement's arrival: the round trip without this direction's own delay. */
  readonly #wayBackNs: number;
  readonly #arrivals = new Fifo<Arrival>();
  #lastDeliverNs = -Infinity;

  constructor(latencyNs: number, jitterNs: number, rttNs: number) {
    this.#wayBackNs = Math.max(0, rttNs - latencyNs - jitterNs / 2);
  }

  /** When a transmission that leaves at `sentNs` is delivered: jitter makes it wait for its predecessor, it never overtakes it. */
  deliverNs(sentNs: number, delayNs: number): number {
    return Math.max(this.#lastDeliverNs, sentNs + delayNs);
  }

  carry(segment: Segment, deliverNs: number): void {
    this.#lastDeliverNs = deliverNs;
    this.#arrivals.add({ segment, feedbackNs: deliverNs + this.#wayBackNs });
  }

  nextAtNs(): number {
    return this.#arrivals.head?.feedbackNs ?? Infinity;
  }

  takeDue(nowNs: number): Segment | undefined {
    const arrival = this.#arrivals.head;
    if (arrival === undefined || arrival.feedbackNs > nowNs) return undefined;
    this.#arrivals.drop();
    return arrival.segment;
  }
}
