/**
 * Keeps others' small packets from waiting behind a flow at full speed.
 *
 * Where more threads have work than there are processors, the scheduler lets a thread that never sleeps wait for its turn, some milliseconds
 * each time; one that has just slept goes first. So turns of a flow at full speed are shorter, and the relay sleeps for a moment after each, as
 * long as other flows have small packets. Alone, a flow is not slowed down.
 *
 * It does so whatever the precision: what a sleep may add to others' delays is less than what it saves. Where a sleep cannot be so short
 * (Windows), only turns are shorter.
 *
 * Owns: the count of small reads of the last moments, by who had them. Never: touches a socket.
 */
import { clockNs } from "../../internal/clock.ts";
import { sleep } from "../../internal/sleep.ts";
import { LANDING_BYTES } from "./landing.ts";
import type { SocketOwner } from "./socket.ts";

/** Requests, answers, acknowledgements of a protocol: what somebody waits for. */
const SMALL_BYTES = 4096;
/** What was read in this time and in the one before it counts: for half a second at least, and for a second at most. */
const PERIOD_NS = 500e6;
/** So many make a conversation: a connection that is opened and closed has two. */
const CONVERSATION = 4;
/** Measured: with shorter ones bulk is up to twice as fast, but others wait for milliseconds again where processors are really short. */
const NAP_MS = 0.2;
/** Flows that have their turns in the same turn of the loop share a sleep. */
const APART_NS = 150e3;

export class Courtesy {
  readonly #nowNs: () => number;
  readonly #nap: (ms: number) => void;
  #sinceNs = -Infinity;
  #now = new Period();
  #before = new Period();
  #sleptNs = -Infinity;

  /** Both are replaced in tests. */
  constructor(nowNs: () => number = clockNs, nap: (ms: number) => void = sleep) {
    this.#nowNs = nowNs;
    this.#nap = nap;
  }

  /** So many bytes were read for somebody. Who fills buffers has no small packets that others give way to, for as long. */
  noteRead(owner: SocketOwner, bytes: number): void {
    this.#passTime();
    if (bytes >= LANDING_BYTES) {
      this.#now.noteFull(owner);
      this.#before.forget(owner);
    } else if (bytes <= SMALL_BYTES && !this.#before.isFull(owner)) this.#now.noteSmall(owner);
  }

  /** Whether somebody at full speed has to give way. */
  isDue(): boolean {
    this.#passTime();
    return this.#now.smallReads + this.#before.smallReads >= CONVERSATION;
  }

  /** Gives way: somebody at full speed has had its turn. */
  giveWay(): void {
    if (this.#nowNs() - this.#sleptNs < APART_NS) return;
    this.#nap(NAP_MS);
    this.#sleptNs = this.#nowNs();
  }

  #passTime(): void {
    const nowNs = this.#nowNs();
    const passedNs = nowNs - this.#sinceNs;
    if (passedNs < PERIOD_NS) return;
    const isNext = passedNs < 2 * PERIOD_NS;
    this.#before = isNext ? this.#now : new Period();
    this.#now = new Period();
    this.#sinceNs = isNext ? this.#sinceNs + PERIOD_NS : nowNs;
  }
}

/** Reads of one period. Weak, so that nothing of a flow that is over is kept. */
class Period {
  /** Small reads, by all who had no full ones. */
  smallReads = 0;
  readonly #small = new WeakMap<SocketOwner, number>();
  readonly #full = new WeakSet<SocketOwner>();

  noteSmall(owner: SocketOwner): void {
    if (this.#full.has(owner)) return;
    this.smallReads++;
    this.#small.set(owner, (this.#small.get(owner) ?? 0) + 1);
  }

  noteFull(owner: SocketOwner): void {
    this.forget(owner);
    this.#full.add(owner);
  }

  isFull(owner: SocketOwner): boolean {
    return this.#full.has(owner);
  }

  /** Small reads of this owner do not count any more. */
  forget(owner: SocketOwner): void {
    this.smallReads -= this.#small.get(owner) ?? 0;
    this.#small.delete(owner);
  }
}
