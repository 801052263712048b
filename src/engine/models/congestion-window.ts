/**
 * The congestion window of a virtual sender (link model §1, Tier B), with Linux's states: open, recovery, loss.
 *
 * Owns: the window, when it is reduced, proportional rate reduction (RFC 6937), slow start after an RTO and after idleness.
 * Never: sends, or finds losses; the sender tells it what its scoreboard found. How the window grows is for `reno.ts` and `cubic.ts`.
 * Invariants: one reduction for all losses of one flight; a window that is not used does not grow.
 */
import type { Congestion } from "../types.ts";
import { Cubic } from "./cubic.ts";
import { Reno } from "./reno.ts";
import type { Acknowledgement, Scoreboard } from "./scoreboard.ts";
import type { Stream } from "./stream.ts";
import type { CongestionControl, GrowingWindow } from "./window-growth.ts";

/** RFC 6928. */
const INITIAL_WINDOW = 10;

const OPEN = 0;
const RECOVERY = 1;
const LOSS = 2;

export class CongestionWindow implements GrowingWindow {
  cwnd: number = INITIAL_WINDOW;
  ssthresh: number = Infinity;
  credit = 0;
  readonly #control: CongestionControl;
  readonly #board: Scoreboard;
  readonly #stream: Stream;
  #state: typeof OPEN | typeof RECOVERY | typeof LOSS = OPEN;
  /** Recovery and loss last until everything below this sequence is acknowledged. */
  #end = 0;
  #lost = 0;
  #lostAgain = 0;
  /** Proportional rate reduction: the window before, segments delivered and sent since. */
  #priorCwnd = 0;
  #delivered = 0;
  #sent = 0;
  /** How far the window was used up since the segments before `#usageEnd` were sent. */
  #limited = false;
  #mostOut = 0;
  #usageEnd = 0;

  constructor(name: Exclude<Congestion, "none">, board: Scoreboard, stream: Stream) {
    this.#control = name === "reno" ? new Reno() : new Cubic();
    this.#board = board;
    this.#stream = stream;
  }

  get open(): boolean {
    return this.#board.inFlight < this.cwnd;
  }

  /** A segment is sent, first or again. */
  sending(): void {
    this.#sent++;
  }

  /** The sender has sent what it could; `more`: it has more to send. */
  sentAll(more: boolean): void {
    const { out } = this.#board;
    if (this.#stream.unackedSequence < this.#usageEnd && !more && (this.#limited || out <= this.#mostOut)) return;
    this.#limited = more;
    this.#mostOut = out;
    this.#usageEnd = this.#stream.unsentSequence;
  }

  /** The sender begins again after it had nothing in flight for `idleNs` (RFC 5681 §4.1, as Linux does it: halved for each RTO). */
  resumed(idleNs: number, rtoNs: number, nowNs: number): void {
    this.#control.resumed(idleNs, nowNs);
    if (idleNs <= rtoNs) return;
    if (this.#state === OPEN) this.ssthresh = Math.max(this.ssthresh, Math.floor((this.cwnd * 3) / 4));
    const least = Math.min(this.cwnd, INITIAL_WINDOW);
    for (let leftNs = idleNs - rtoNs; leftNs > 0 && this.cwnd > least; leftNs -= rtoNs) this.cwnd = Math.floor(this.cwnd / 2);
    this.cwnd = Math.max(this.cwnd, least);
    this.credit = 0;
  }

  /** An acknowledgement came, and all that follows from it is on the scoreboard. */
  acknowledged({ delivered, advanced, lastRttNs, sackRttNs }: Acknowledgement, nowNs: number): void {
    const { unackedSequence, unsentSequence } = this.#stream;
    const rttNs = sackRttNs ?? lastRttNs;
    if (rttNs !== undefined) this.#control.sample(this, rttNs, nowNs, unackedSequence, unsentSequence);
    if (this.#state !== OPEN && unackedSequence >= this.#end) this.#recovered();
    const { lost, lostAgain } = this.#newLosses();
    if (this.#state === OPEN ? lost : this.#state === LOSS && lostAgain) this.#enterRecovery();
    if (this.#state === RECOVERY) this.#reduce(delivered, advanced && !lost);
    else if (advanced && this.#inUse) this.#control.grow(this, delivered, nowNs);
  }

  /** The reordering timer found losses. */
  lossesFound(): void {
    if (!this.#newLosses().lost || this.#state === RECOVERY) return;
    this.#enterRecovery();
    this.#reduce(1, false);
  }

  /** A tail loss probe repaired a loss that nobody would have noticed else. */
  probeRepaired(): void {
    if (this.#state !== OPEN) return;
    this.ssthresh = this.#control.reduced(this.cwnd);
    this.cwnd = this.ssthresh;
    this.credit = 0;
  }

  /** The retransmission timer fired, for the `repeats`th time in a row, and the scoreboard has given up what is overdue. */
  timedOut(repeats: number): void {
    this.#newLosses();
    const anew = this.#state === OPEN || this.#stream.unackedSequence >= this.#end || (this.#state === LOSS && repeats === 1);
    if (anew) this.ssthresh = this.#control.reduced(this.cwnd);
    this.#control.timedOut();
    this.#state = LOSS;
    this.#end = this.#stream.unsentSequence;
    this.cwnd = this.#board.inFlight + 1;
    this.credit = 0;
  }

  /** In slow start, a window is in use that is at least half full: it must be able to double. */
  get #inUse(): boolean {
    return this.#limited || (this.cwnd < this.ssthresh && this.cwnd < 2 * this.#mostOut);
  }

  #newLosses(): { lost: boolean; lostAgain: boolean } {
    const { lost, lostAgain } = this.#board;
    const news = { lost: lost > this.#lost, lostAgain: lostAgain > this.#lostAgain };
    this.#lost = lost;
    this.#lostAgain = lostAgain;
    return news;
  }

  #enterRecovery(): void {
    this.#state = RECOVERY;
    this.#end = this.#stream.unsentSequence;
    this.#priorCwnd = this.cwnd;
    this.#delivered = 0;
    this.#sent = 0;
    this.credit = 0;
    this.ssthresh = this.#control.reduced(this.cwnd);
  }

  #recovered(): void {
    if (this.#state === RECOVERY) this.cwnd = this.ssthresh;
    this.#state = OPEN;
  }

  /** One step of proportional rate reduction, with slow start as its lower bound where the losses leave the window empty. */
  #reduce(delivered: number, progress: boolean): void {
    if (delivered <= 0) return;
    this.#delivered += delivered;
    const { inFlight } = this.#board;
    const room = this.ssthresh - inFlight;
    let count: number;
    if (room < 0) {
      count = Math.ceil((this.ssthresh * this.#delivered) / this.#priorCwnd) - this.#sent;
    } else {
      count = Math.min(room, Math.max(this.#delivered - this.#sent, delivered) + (progress ? 1 : 0));
    }
    // The first retransmission leaves whatever the window says.
    this.cwnd = inFlight + Math.max(count, this.#sent > 0 ? 0 : 1);
  }
}
