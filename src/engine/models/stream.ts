/**
 * The segments of a virtual sender in stream order, as a linked list with three marks: the first that is not released, the first that
 * is not acknowledged, the first that is not sent. What lies before all of them is garbage.
 */
import type { Position } from "../draw.ts";
import { ACKED, Segment } from "./segment.ts";

export class Stream {
  last: Segment | undefined;
  unreleased: Segment | undefined;
  unacked: Segment | undefined;
  unsent: Segment | undefined;
  /** Segments that are not both released and acknowledged. */
  size: number = 0;
  #nextSequence = 0;

  append(at: Position, bytes: number, nowNs: number, delayNs: number, partial: boolean, rider: boolean): Segment {
    const segment = new Segment(at, this.#nextSequence++, bytes, nowNs, delayNs, partial, rider);
    if (this.last !== undefined) this.last.next = segment;
    this.last = segment;
    this.unreleased ??= segment;
    this.unacked ??= segment;
    this.unsent ??= segment;
    this.size++;
    return segment;
  }

  /** Sequence of the first unacknowledged segment, or of the next to come. */
  get unackedSequence(): number {
    return this.unacked?.sequence ?? this.#nextSequence;
  }

  /** The first sequence that was never sent. */
  get unsentSequence(): number {
    return this.unsent?.sequence ?? this.#nextSequence;
  }

  /** Passes what is due, in order, and returns its bytes. */
  releaseDue(nowNs: number): number {
    let released = 0;
    let head = this.unreleased;
    while (head !== undefined && head.deliverNs <= nowNs) {
      released += head.bytes;
      // Whoever comes second, release or acknowledgement, ends the record.
      if (head.sequence < this.unackedSequence) this.size--;
      head = head.next;
    }
    this.unreleased = head;
    return released;
  }

  /** Delivers at `nowNs` what has no time of delivery yet. */
  deliverAll(nowNs: number): void {
    for (let segment = this.unreleased; segment !== undefined; segment = segment.next) {
      if (segment.deliverNs === Infinity) segment.deliverNs = nowNs;
    }
  }

  /** Passes what is acknowledged. */
  advanceUnacked(): void {
    const unreleased = this.unreleased?.sequence ?? Infinity;
    let head = this.unacked;
    while (head !== undefined && head.state === ACKED) {
      if (head.sequence < unreleased) this.size--;
      head = head.next;
    }
    this.unacked = head;
  }
}
