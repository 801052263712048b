/**
 * `packet_reorder` on a TCP stream: head-of-line waiting. A packet that is hit arrives after the packets that overtake it, and since a stream
 * is read in order, everything behind it waits until it is there. Stands behind a lane that says when packets would have arrived.
 */
import type { Draws, Position } from "./draw.ts";
import type { SeverityAt } from "./faults/loss.ts";
import { drawReorder, reorderDecision, ReorderHold } from "./faults/packet-reorder.ts";
import type { FlowFailure, Lane } from "./lane.ts";
import { Fifo } from "./models/segment.ts";
import type { DecisionSink, ReorderFault } from "./types.ts";

/** A packet, or bytes that continue one: they arrive behind its beginning in any case. */
interface Part {
  readonly sequence: number;
  bytes: number;
  readonly fresh: boolean;
  readonly hit: boolean;
  arrived: boolean;
}

export interface WaitingOptions {
  readonly inner: Lane;
  readonly fault: ReorderFault;
  readonly draws: Draws;
  readonly severityAt: SeverityAt | undefined;
  readonly onDecision: DecisionSink | undefined;
}

export class WaitingLane implements Lane {
  ended: boolean = false;
  readonly #inner: Lane;
  readonly #fault: ReorderFault;
  readonly #draws: Draws;
  readonly #severityAt: SeverityAt | undefined;
  readonly #onDecision: DecisionSink | undefined;
  /** In the order of the stream: parts that the inner lane has not released, and those that are not released here. */
  readonly #coming = new Fifo<Part>();
  readonly #stream = new Fifo<Part>();
  readonly #hold = new ReorderHold<Part>((part) => {
    part.arrived = true;
  });
  /** Bytes of the first coming part that the inner lane has released. */
  #partial = 0;
  #count = 0;
  #sequence = 0;

  constructor(options: WaitingOptions) {
    this.#inner = options.inner;
    this.#fault = options.fault;
    this.#draws = options.draws;
    this.#severityAt = options.severityAt;
    this.#onDecision = options.onDecision;
  }

  get holding(): boolean {
    return this.#inner.holding;
  }

  get failure(): FlowFailure | undefined {
    return this.#inner.failure;
  }

  get entries(): number {
    return this.#inner.entries + this.#count;
  }

  add(bytes: number, nowNs: number, at: Position, fresh: boolean, delayNs: number): void {
    const hit = fresh && drawReorder(this.#draws, at, this.#faultAt(nowNs));
    if (hit) this.#onDecision?.(reorderDecision(at, nowNs, bytes));
    if (fresh) this.#sequence++;
    const part: Part = { sequence: this.#sequence, bytes, fresh, hit, arrived: false };
    this.#coming.add(part);
    this.#stream.add(part);
    this.#count++;
    this.#inner.add(bytes, nowNs, at, fresh, delayNs);
  }

  end(nowNs: number, delayNs: number): void {
    this.#inner.end(nowNs, delayNs);
  }

  peerReleased(nowNs: number): void {
    this.#inner.peerReleased(nowNs);
  }

  advance(nowNs: number): number {
    let released = 0;
    // From instant to instant: who is let go when depends on the order in which things happen.
    for (let atNs = this.nextAtNs(); atNs <= nowNs && this.failure === undefined; atNs = this.nextAtNs()) {
      this.#hold.expire(atNs);
      this.#arrive(this.#inner.advance(atNs), atNs);
      // Nothing comes any more that could overtake.
      if (this.#inner.ended) this.#hold.flush(atNs);
      released += this.#release();
    }
    // Nothing more is due; but a lazy lane tidies up when it is asked.
    this.#inner.advance(nowNs);
    this.ended = this.#inner.ended && this.#count === 0;
    return released;
  }

  nextAtNs(): number {
    return this.failure === undefined ? Math.min(this.#inner.nextAtNs(), this.#hold.nextAtNs()) : Infinity;
  }

  /** Who is held back is held for a while only. */
  detach(nowNs: number): void {
    this.#inner.detach(nowNs);
  }

  #faultAt(nowNs: number): ReorderFault {
    return this.#severityAt === undefined ? this.#fault : { ...this.#fault, ppm: this.#fault.ppm * this.#severityAt(nowNs) };
  }

  #arrive(bytes: number, atNs: number): void {
    this.#partial += bytes;
    for (let part = this.#coming.head; part !== undefined && this.#partial >= part.bytes; part = this.#coming.head) {
      this.#partial -= part.bytes;
      this.#coming.drop();
      if (part.hit) this.#hold.hold(part, atNs, this.#fault);
      else if (part.fresh) this.#hold.pass(part, atNs);
      else part.arrived = true;
    }
  }

  #release(): number {
    let released = 0;
    for (let part = this.#stream.head; part?.arrived === true; part = this.#stream.head) {
      released += part.bytes;
      this.#stream.drop();
      this.#count--;
    }
    return released;
  }
}
