/**
 * The policy table: shared memory through which the control plane and the relays meet.
 *
 * Owns: the buffer, its writer lock, allocation of rows. Never: what the numbers mean to a packet.
 * Invariants: rows are allocated, published and freed under the lock; a row is odd only while its writer is inside; readers never
 * take the lock and never act on half a row; a thread that died inside the lock costs its row, nothing else.
 */
import { FaultcoreError } from "../errors.ts";
import {
  ACTIVATION_AT,
  F,
  FLOWS_AT,
  H,
  MAX_FLOWS,
  MAX_RELAYS,
  MAX_SCOPES,
  S,
  SCOPES_AT,
  SCOPE_FREE,
  SCOPE_LIVE,
  TABLE_BYTES,
  TABLE_MAGIC,
} from "./layout.ts";

/** How long one thread may hold the lock before it counts as dead. Critical sections take microseconds. */
const LOCK_TAKEOVER_MS = 1000;
const LOCK_POLL_MS = 20;

export class PolicyTable {
  readonly buffer: SharedArrayBuffer;
  readonly words: Int32Array;
  readonly floats: Float64Array;
  readonly activationBody: Uint8Array;
  readonly #owner: number;
  readonly #takeoverMs: number;

  /** @param owner a number that no other thread of the process uses: the thread id plus one */
  constructor(buffer: SharedArrayBuffer, owner: number, takeoverMs: number = LOCK_TAKEOVER_MS) {
    this.buffer = buffer;
    this.words = new Int32Array(buffer);
    this.floats = new Float64Array(buffer, 0, Math.floor(ACTIVATION_AT / 2));
    this.activationBody = new Uint8Array(buffer, ACTIVATION_AT * 4);
    this.#owner = owner;
    this.#takeoverMs = takeoverMs;
  }

  static create(owner: number): PolicyTable {
    const table = new PolicyTable(new SharedArrayBuffer(TABLE_BYTES), owner);
    table.words[H.magic] = TABLE_MAGIC;
    return table;
  }

  /** Whether a buffer that was handed down is a table of this very layout. */
  static fits(buffer: unknown): buffer is SharedArrayBuffer {
    return (
      Object.prototype.toString.call(buffer) === "[object SharedArrayBuffer]" &&
      (buffer as SharedArrayBuffer).byteLength === TABLE_BYTES &&
      new Int32Array(buffer as SharedArrayBuffer, 0, 1)[0] === TABLE_MAGIC
    );
  }

  scopeAt(index: number): number {
    return SCOPES_AT + index * S.words;
  }

  flowAt(index: number): number {
    return FLOWS_AT + index * F.words;
  }

  /** Runs `body` as the only writer of this table. `body` must not call user code: it may not be re-entered. */
  locked<T>(body: () => T): T {
    this.#acquire();
    try {
      return body();
    } finally {
      Atomics.store(this.words, H.lockOwner, 0);
      Atomics.notify(this.words, H.lockOwner, 1);
    }
  }

  #acquire(): void {
    const { words } = this;
    let waitingFor = 0;
    let ticket = 0;
    let waitedMs = 0;
    for (;;) {
      const holder = Atomics.compareExchange(words, H.lockOwner, 0, this.#owner);
      if (holder === 0) break;
      const now = Atomics.load(words, H.lockTicket);
      if (holder !== waitingFor || now !== ticket) {
        waitingFor = holder;
        ticket = now;
        waitedMs = 0;
      }
      if (waitedMs >= this.#takeoverMs && Atomics.compareExchange(words, H.lockOwner, holder, this.#owner) === holder) {
        this.#repair();
        break;
      }
      if (Atomics.wait(words, H.lockOwner, holder, LOCK_POLL_MS) === "timed-out") waitedMs += LOCK_POLL_MS;
    }
    Atomics.add(words, H.lockTicket, 1);
  }

  /** After the owner of the lock died: rows that it left half-written are given up, and both free lists are built anew. */
  #repair(): void {
    const { words } = this;
    Atomics.store(words, H.scopesLive, this.#rebuild(H.scopeFree, H.scopeUsed, S.words, SCOPES_AT, S.nextFree));
    Atomics.store(words, H.flowsLive, this.#rebuild(H.flowFree, H.flowUsed, F.words, FLOWS_AT, F.nextFree));
    if (Atomics.load(words, H.activationGeneration) & 1) {
      Atomics.store(words, H.activationLength, 0);
      Atomics.add(words, H.activationGeneration, 1);
    }
  }

  /** Returns how many rows are live. */
  #rebuild(head: number, used: number, rowWords: number, at: number, nextFree: number): number {
    const { words } = this;
    let first = 0;
    let live = 0;
    for (let index = Atomics.load(words, used) - 1; index >= 0; index--) {
      const row = at + index * rowWords;
      if (Atomics.load(words, row + S.generation) & 1) {
        Atomics.store(words, row + S.state, SCOPE_FREE);
        Atomics.add(words, row + S.generation, 1);
      }
      if (Atomics.load(words, row + S.state) === SCOPE_FREE) {
        Atomics.store(words, row + nextFree, first);
        first = index + 1;
      } else if (Atomics.load(words, row + S.state) === SCOPE_LIVE) live++;
    }
    Atomics.store(words, head, first);
    return live;
  }

  /** Takes a free scope row; the caller holds the lock. */
  takeScope(): number {
    return this.#take(H.scopeFree, H.scopeUsed, MAX_SCOPES, SCOPES_AT, S.words, S.nextFree, "scopes");
  }

  /** Takes a free flow row; the caller holds the lock. */
  takeFlow(): number {
    return this.#take(H.flowFree, H.flowUsed, MAX_FLOWS, FLOWS_AT, F.words, F.nextFree, "flows");
  }

  giveScope(index: number): void {
    this.#give(H.scopeFree, this.scopeAt(index), S.nextFree, index);
  }

  giveFlow(index: number): void {
    this.#give(H.flowFree, this.flowAt(index), F.nextFree, index);
  }

  #take(head: number, used: number, max: number, at: number, rowWords: number, nextFree: number, what: string): number {
    const { words } = this;
    const first = Atomics.load(words, head);
    if (first !== 0) {
      const index = first - 1;
      Atomics.store(words, head, Atomics.load(words, at + index * rowWords + nextFree));
      return index;
    }
    const index = Atomics.load(words, used);
    if (index >= max) {
      throw new FaultcoreError(
        "ERR_FAULTCORE_TABLE_FULL",
        `The policy table is full: ${max} ${what} are open at once in this process. Close some, or end scopes that were abandoned with reset().`,
        { expected: `at most ${max} ${what} at once` },
      );
    }
    Atomics.store(words, used, index + 1);
    return index;
  }

  #give(head: number, row: number, nextFree: number, index: number): void {
    Atomics.store(this.words, row + nextFree, Atomics.load(this.words, head));
    Atomics.store(this.words, head, index + 1);
  }

  /** A number for a policy body that no other thread of the tree has given out. */
  nextPolicyId(): number {
    return Atomics.add(this.words, H.nextPolicyId, 1) + 1;
  }

  scopesLive(): number {
    return Atomics.load(this.words, H.scopesLive);
  }

  flowsLive(): number {
    return Atomics.load(this.words, H.flowsLive);
  }

  /** Remembers that a thread is a relay and not one of the program's own. */
  noteRelay(threadId: number): void {
    this.locked(() => {
      const count = Atomics.load(this.words, H.relayCount);
      if (count < MAX_RELAYS) Atomics.store(this.words, H.relays + count, threadId);
      Atomics.store(this.words, H.relayCount, count + 1);
    });
  }

  /** The rank of a thread among the program's own threads, in the order in which they were created. */
  threadRank(threadId: number): number {
    let rank = threadId;
    const count = Math.min(Atomics.load(this.words, H.relayCount), MAX_RELAYS);
    for (let n = 0; n < count; n++) if (Atomics.load(this.words, H.relays + n) < threadId) rank--;
    return rank;
  }
}
