/**
 * The receiving end of a virtual sender: when it acknowledges. In order and paired: at once. In order and alone: after 40 ms (Linux's
 * delayed ACK), unless data of the other direction carries the acknowledgement. Out of order, a filled hole, or a duplicate: at once.
 *
 * It is told of an arrival at the moment when an immediate acknowledgement would be back at the sender; as the way back takes the same
 * time for all, its own timer shifts with it.
 */
import { DELAYED_ACK_NS } from "./tcp-timers.ts";
import type { Segment } from "./segment.ts";

export class TcpReceiver {
  /** When the delayed acknowledgement is back at the sender; Infinity if none is due. */
  delayedAckAtNs: number = Infinity;
  /** The first segment that is not received in order; undefined if all that were transmitted are. */
  missing: Segment | undefined;
  #unacknowledged = 0;
  #outOfOrder = 0;

  /** A segment was transmitted for the first time. */
  expect(segment: Segment): void {
    // A rider is received with its packet, whose place in the stream is right before it.
    if (segment.rider) segment.received = true;
    else this.missing ??= segment;
  }

  /** A transmission arrived. Returns whether an acknowledgement goes out at once. */
  receive(segment: Segment, nowNs: number): boolean {
    if (segment.received) return true;
    segment.received = true;
    if (segment !== this.missing) {
      this.#outOfOrder++;
      return true;
    }
    const filledHole = this.#outOfOrder > 0;
    let next = segment.next;
    while (next !== undefined && (next.rider || next.received) && next.transmissions > 0) {
      if (!next.rider) this.#outOfOrder--;
      next = next.next;
    }
    this.missing = next !== undefined && next.transmissions > 0 ? next : undefined;
    this.#unacknowledged++;
    if (filledHole || this.#unacknowledged >= 2) return true;
    this.delayedAckAtNs = nowNs + DELAYED_ACK_NS;
    return false;
  }

  acknowledged(): void {
    this.#unacknowledged = 0;
    this.delayedAckAtNs = Infinity;
  }

  get owesAck(): boolean {
    return this.#unacknowledged > 0;
  }
}
