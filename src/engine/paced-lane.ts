/**
 * The fast lane: nothing is lost, so a release time is known as soon as the link has taken the packet: release_i = max(release_{i-1}, F +
 * latency + jitter). A link of its own takes packets on arrival; at a shared one they may have to wait for their turn.
 */
import type { Position } from "./draw.ts";
import { type Feeder, type Link, rateDecision } from "./faults/rate.ts";
import type { CopiesOf, FlowFailure, Lane } from "./lane.ts";
import { Fifo } from "./models/segment.ts";
import { ReleaseQueue } from "./queue.ts";
import type { DecisionSink } from "./types.ts";

/** A packet, a part of one or the end that a shared link has not taken yet. */
interface Waiting {
  readonly bytes: number;
  readonly arrivedNs: number;
  readonly delayNs: number;
  readonly copies: number;
  /** Where it begins a packet: whom to report. */
  readonly at: Position | undefined;
  readonly end: boolean;
}

export class PacedLane implements Lane, Feeder {
  ended: boolean = false;
  readonly holding: boolean = false;
  readonly failure: FlowFailure | undefined = undefined;
  readonly #link: Link;
  readonly #copiesOf: CopiesOf | undefined;
  readonly #onDecision: DecisionSink | undefined;
  readonly #queue = new ReleaseQueue();
  readonly #waiting: Fifo<Waiting> | undefined;
  #waitingCount = 0;
  #lastReleaseNs = -Infinity;
  #endNs = Infinity;

  constructor(link: Link, copiesOf: CopiesOf | undefined, onDecision: DecisionSink | undefined) {
    this.#link = link;
    this.#copiesOf = copiesOf;
    this.#onDecision = onDecision;
    this.#waiting = link.shared && !link.unlimited ? new Fifo() : undefined;
  }

  get entries(): number {
    return this.#queue.length + this.#waitingCount;
  }

  add(bytes: number, nowNs: number, at: Position, fresh: boolean, delayNs: number): void {
    if (this.#link.unlimited) {
      this.#queue.add(this.#releaseNs(nowNs, delayNs), bytes);
      return;
    }
    const copies = this.#copiesOf?.(at, nowNs) ?? 0;
    if (this.#waiting === undefined) this.#send(bytes, nowNs, nowNs, delayNs, copies, fresh ? at : undefined);
    else this.#wait({ bytes, arrivedNs: nowNs, delayNs, copies, at: fresh ? copyOf(at) : undefined, end: false }, nowNs);
  }

  end(nowNs: number, delayNs: number): void {
    if (this.#link.unlimited) this.#endNs = this.#releaseNs(nowNs, delayNs);
    else if (this.#waiting === undefined) this.#endNs = this.#releaseNs(this.#link.send(0, nowNs), delayNs);
    else this.#wait({ bytes: 0, arrivedNs: nowNs, delayNs, copies: 0, at: undefined, end: true }, nowNs);
  }

  /** The shared link has room. */
  sendNext(nowNs: number): boolean {
    const next = this.#waiting?.head;
    if (next === undefined) return false;
    this.#waiting?.drop();
    this.#waitingCount--;
    if (next.end) this.#endNs = this.#releaseNs(this.#link.send(0, nowNs), next.delayNs);
    else this.#send(next.bytes, nowNs, next.arrivedNs, next.delayNs, next.copies, next.at);
    return this.#waitingCount > 0;
  }

  peerReleased(): void {}

  advance(nowNs: number): number {
    if (this.#waitingCount > 0 && this.#link.opensAtNs <= nowNs) this.#link.feed(this, nowNs);
    const due = this.#queue.takeDue(nowNs);
    if (this.#endNs <= nowNs) this.ended = true;
    return due;
  }

  nextAtNs(): number {
    if (this.ended) return Infinity;
    const releaseNs = Math.min(this.#queue.headNs, this.#endNs);
    return this.#waitingCount > 0 ? Math.min(releaseNs, this.#link.opensAtNs) : releaseNs;
  }

  detach(): void {}

  #wait(waiting: Waiting, nowNs: number): void {
    this.#waiting?.add(waiting);
    this.#waitingCount++;
    this.#link.feed(this, nowNs);
  }

  #send(bytes: number, nowNs: number, arrivedNs: number, delayNs: number, copies: number, at: Position | undefined): void {
    const sentNs = this.#link.send(bytes, nowNs);
    // The receiver throws copies away: they cost what they take of the link.
    if (copies > 0) this.#link.send(bytes * copies, nowNs);
    // Every packet, not only those that queued: what is logged must not depend on timing.
    if (at !== undefined) this.#onDecision?.(rateDecision(at, arrivedNs, bytes, sentNs - arrivedNs));
    this.#queue.add(this.#releaseNs(sentNs, delayNs), bytes);
  }

  #releaseNs(sentNs: number, delayNs: number): number {
    this.#lastReleaseNs = Math.max(this.#lastReleaseNs, sentNs + delayNs);
    return this.#lastReleaseNs;
  }
}

/** The position of a packet changes with the next one. */
function copyOf({ direction, exchange, cell, split }: Position): Position {
  return { direction, exchange, cell, split };
}
