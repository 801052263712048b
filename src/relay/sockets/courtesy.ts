/**
 * Keeps others' small packets from waiting behind a flow at full speed.
 *
 * Where more threads have work than there are processors, the scheduler lets a thread that never sleeps wait for its turn, some milliseconds
 * each time; one that has just slept goes first. So turns of a flow at full speed are shorter, and the relay sleeps for a moment after each, as
 * long as other flows have small packets. Alone, a flow is not slowed down.
 *
 * Owns: the count of small reads of the last moments, by who had them. Never: touches a socket.
 */
import { clockNs } from "../../internal/clock.ts";
import { sleep } from "../../internal/sleep.ts";
import type { SocketOwner } from "./socket.ts";

/** Requests, answers, acknowledgements of a protocol: what somebody waits for. */
const SMALL_BYTES = 4096;
/** What was read in this time and in the one before it counts. */
const PERIOD_NS = 500e6;
/** So many make a conversation: a connection that is opened and closed has two. */
const CONVERSATION = 4;
/** The shortest sleep there is: on Linux, about 80 µs. */
const NAP_MS = 0.02;
/** Flows that have their turns in the same turn of the loop share a sleep. */
const APART_NS = 150e3;

export class Courtesy {
  readonly #nowNs: () => number;
  readonly #nap: (ms: number) => void;
  #sinceNs = -Infinity;
  #reads = new Reads();
  #readsBefore = new Reads();
  #sleptNs = -Infinity;

  /** Both are replaced in tests. */
  constructor(nowNs: () => number = clockNs, nap: (ms: number) => void = sleep) {
    this.#nowNs = nowNs;
    this.#nap = nap;
  }

  /** So many bytes were read for somebody. */
  noteRead(owner: SocketOwner, bytes: number): void {
    if (bytes > SMALL_BYTES) return;
    this.#passTime();
    this.#reads.count(owner);
  }

  /** Whether somebody at full speed has to give way. Small reads of its own do not count, then or for others. */
  isDue(owner: SocketOwner): boolean {
    this.#passTime();
    this.#reads.forget(owner);
    this.#readsBefore.forget(owner);
    return this.#reads.all + this.#readsBefore.all >= CONVERSATION;
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
    this.#readsBefore = passedNs < 2 * PERIOD_NS ? this.#reads : new Reads();
    this.#reads = new Reads();
    this.#sinceNs = nowNs;
  }
}

/** Small reads of one period. */
class Reads {
  all = 0;
  readonly #of = new WeakMap<SocketOwner, number>();

  count(owner: SocketOwner): void {
    this.all++;
    this.#of.set(owner, (this.#of.get(owner) ?? 0) + 1);
  }

  forget(owner: SocketOwner): void {
    const count = this.#of.get(owner);
    if (count === undefined) return;
    this.all -= count;
    this.#of.delete(owner);
  }
}
