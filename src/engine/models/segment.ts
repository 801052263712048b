/** What a virtual sender keeps per packet, and the two lists that segments are in. */
import type { Position } from "../draw.ts";
import type { LossFault } from "../faults/loss.ts";
import type { Direction } from "../types.ts";

/** With the sender, not transmitted yet. */
export const UNSENT = 0;
/** Transmitted, nothing heard of it. */
export const IN_FLIGHT = 1;
/** Given up for lost; it waits for its retransmission. */
export const LOST = 2;
/** Acknowledged, cumulatively or selectively. */
export const ACKED = 3;
export type SegmentState = typeof UNSENT | typeof IN_FLIGHT | typeof LOST | typeof ACKED;

export class Segment implements Position {
  readonly direction: Direction;
  readonly exchange: number;
  readonly cell: number;
  readonly split: number;
  /** Order in the stream. */
  readonly sequence: number;
  readonly arrivedNs: number;
  /** Latency and jitter. */
  readonly delayNs: number;
  /** Not a packet of its own: further bytes of a packet that is already under way, or the end marker. It has no draw. */
  readonly partial: boolean;
  /** A partial that shares the way of its packet: never lost, never counted. */
  readonly rider: boolean;
  bytes: number;
  /** How many transmissions fail, as far as that is known, and what lost the first one. */
  failures: number = 0;
  cause: LossFault = "packet_loss";
  state: SegmentState = UNSENT;
  /** The receiver has it. */
  received: boolean = false;
  transmissions: number = 0;
  firstSentNs: number = 0;
  /** When the last bit of the last transmission left. */
  sentNs: number = 0;
  /** When the transmission left that got through. */
  arrivedSentNs: number = 0;
  /** When it would have been delivered, had nothing been lost. */
  losslessNs: number = 0;
  /** When the receiver has it; Infinity as long as no transmission got through. */
  deliverNs: number = Infinity;
  /** The next segment of the stream. */
  next: Segment | undefined;
  /** Neighbours in `SentList`. */
  earlier: Segment | undefined;
  later: Segment | undefined;

  constructor(at: Position, sequence: number, bytes: number, arrivedNs: number, delayNs: number, partial: boolean, rider: boolean) {
    this.direction = at.direction;
    this.exchange = at.exchange;
    this.cell = at.cell;
    this.split = at.split;
    this.sequence = sequence;
    this.bytes = bytes;
    this.arrivedNs = arrivedNs;
    this.delayNs = delayNs;
    this.partial = partial;
    this.rider = rider;
  }
}

/** The segments in flight in the order of their last transmission (Linux: `tsorted_sent_queue`), so that RACK looks at few of them. */
export class SentList {
  first: Segment | undefined;
  #last: Segment | undefined;
  size: number = 0;

  append(segment: Segment): void {
    segment.earlier = this.#last;
    segment.later = undefined;
    if (this.#last === undefined) this.first = segment;
    else this.#last.later = segment;
    this.#last = segment;
    this.size++;
  }

  remove(segment: Segment): void {
    if (segment.earlier === undefined) this.first = segment.later;
    else segment.earlier.later = segment.later;
    if (segment.later === undefined) this.#last = segment.earlier;
    else segment.later.earlier = segment.earlier;
    segment.earlier = undefined;
    segment.later = undefined;
    this.size--;
  }

  /** The segment that is last in the stream, not the one sent last: what a tail loss probe repeats. */
  highest(): Segment | undefined {
    let highest = this.#last;
    for (let s = this.first; s !== undefined; s = s.later) if (s.sequence > highest!.sequence) highest = s;
    return highest;
  }
}

/** A plain first-in first-out queue; dequeued slots are given back in bulk. */
export class Fifo<T> {
  #items: T[] = [];
  #head = 0;

  get head(): T | undefined {
    return this.#items[this.#head];
  }

  add(item: T): void {
    this.#items.push(item);
  }

  drop(): void {
    this.#head++;
    if (this.#head === this.#items.length) {
      this.#items = [];
      this.#head = 0;
    } else if (this.#head >= 1024 && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
  }
}
