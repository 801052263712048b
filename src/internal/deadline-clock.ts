/**
 * One deadline heap and one timer for all waits of a data plane: a relay's, or those on the program's own thread.
 *
 * Never early: a timer of Node can fire up to 1 ms before its time and truncates fractions, so the clock is read again before anything
 * is fired. What remains below a bound is spun away with `setImmediate`, which keeps I/O going. A thread that has nothing else to do
 * naps meanwhile, unless precision is to be fine: spinning would take most of a processor wherever delays are short.
 */
import { clearTimeout, setImmediate, setTimeout } from "node:timers";
import { clockNs } from "./clock.ts";
import { sleep } from "./sleep.ts";

/** Node's timers wake within about a millisecond around their time: a smaller bound would need a second timer, which is late again. */
const SPIN_NORMAL_NS = 1e6;
const SPIN_FINE_NS = 1.5e6;
/** A backlog of packets leaves in parts so far apart, as network cards coalesce interrupts: its reader has less to do, and so have we. */
const COALESCE_NS = 250e3;
/** A nap between two looks: as long as it takes others' bytes that arrive meanwhile to wait. */
const NAP_NS = 150e3;
/** How late a nap ends. */
const NAP_SLACK_NS = 80e3;
/** The loop turns faster than this when nothing happens in it. */
const QUIET_NS = 40e3;
const MAX_TIMER_MS = 0x7fff_ffff;

/** Something that waits for an instant. The heap keeps its place in `heapIndex`; -1 = not waiting. */
export interface Waiter {
  heapIndex: number;
  deadlineNs: number;
  fire(nowNs: number): void;
}

export class DeadlineClock {
  readonly #heap: Waiter[] = [];
  readonly #spinNs: number;
  readonly #hold: boolean;
  readonly #naps: boolean;
  /** How long packets of a backlog may wait for those behind them, to leave together. */
  readonly coalesceNs: number;
  /** When it looked last while spinning. */
  #lookedNs = 0;
  #timer: NodeJS.Timeout | undefined;
  #timerForNs = Infinity;
  #spinning = false;

  /** `hold`: whether waits keep the process alive. `naps`: the thread is this clock's own, so that it may block for a moment. */
  constructor(precision: "normal" | "fine", { hold = true, naps = false }: { readonly hold?: boolean; readonly naps?: boolean } = {}) {
    this.#hold = hold;
    this.#naps = naps && precision === "normal";
    this.coalesceNs = precision === "fine" ? 0 : COALESCE_NS;
    this.#spinNs = precision === "fine" ? SPIN_FINE_NS : SPIN_NORMAL_NS;
  }

  nowNs(): number {
    return clockNs();
  }

  /** (Re)schedules a waiter; `Infinity` removes it. */
  schedule(waiter: Waiter, deadlineNs: number): void {
    if (deadlineNs === Infinity) {
      this.cancel(waiter);
      return;
    }
    if (waiter.heapIndex >= 0) {
      if (waiter.deadlineNs === deadlineNs) return;
      this.#remove(waiter);
    }
    waiter.deadlineNs = deadlineNs;
    waiter.heapIndex = this.#heap.length;
    this.#heap.push(waiter);
    this.#up(waiter.heapIndex);
    if (this.#heap[0] === waiter) this.#arm(clockNs());
  }

  cancel(waiter: Waiter): void {
    if (waiter.heapIndex < 0) return;
    this.#remove(waiter);
    // The timer of what nobody waits for must not keep the process alive.
    if (this.#heap.length === 0) this.#timer?.unref();
  }

  /** Blocks the thread for at most this long while deadlines fall due: for the end of a process, where no timer fires any more. */
  runFor(limitMs: number): void {
    const untilNs = clockNs() + limitMs * 1e6;
    for (let first = this.#heap[0]; first !== undefined && first.deadlineNs <= untilNs; first = this.#heap[0]) {
      const remainingMs = (first.deadlineNs - clockNs()) / 1e6;
      if (remainingMs > 0) sleep(remainingMs);
      else this.#tick();
    }
  }

  #arm(nowNs: number): void {
    const first = this.#heap[0];
    if (first === undefined || this.#spinning) return;
    const deadlineNs = first.deadlineNs;
    // A timer that fires before the deadline is kept: it costs one look, a new timer costs more.
    if (this.#timer !== undefined && this.#timerForNs <= deadlineNs) {
      if (this.#hold) this.#timer.ref();
      return;
    }
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    const remainingNs = deadlineNs - nowNs;
    if (remainingNs <= this.#spinNs) {
      this.#spinning = true;
      // Always held: the loop would sleep through an immediate that is not. It is for a millisecond.
      setImmediate(this.#look);
      return;
    }
    this.#timerForNs = deadlineNs;
    const delayMs = Math.min(Math.max(1, Math.floor((remainingNs - this.#spinNs) / 1e6)), MAX_TIMER_MS);
    this.#timer = setTimeout(this.#tick, delayMs);
    if (!this.#hold) this.#timer.unref();
  }

  readonly #look = (): void => {
    if (this.#naps) {
      const nowNs = clockNs();
      const restNs = Math.min(NAP_NS, (this.#heap[0]?.deadlineNs ?? 0) - nowNs - NAP_SLACK_NS);
      // Only where nothing has happened since the last look: else more is about to.
      if (restNs > 0 && nowNs - this.#lookedNs < QUIET_NS) sleep(restNs / 1e6);
      this.#lookedNs = clockNs();
    }
    this.#tick();
  };

  readonly #tick = (): void => {
    this.#timer = undefined;
    this.#timerForNs = Infinity;
    this.#spinning = false;
    let nowNs = clockNs();
    for (let first = this.#heap[0]; first !== undefined && first.deadlineNs <= nowNs; first = this.#heap[0]) {
      this.#remove(first);
      first.fire(nowNs);
      nowNs = clockNs();
    }
    this.#arm(nowNs);
  };

  #remove(waiter: Waiter): void {
    const heap = this.#heap;
    const index = waiter.heapIndex;
    waiter.heapIndex = -1;
    const last = heap.pop() as Waiter;
    if (last === waiter) return;
    heap[index] = last;
    last.heapIndex = index;
    this.#down(index);
    this.#up(last.heapIndex);
  }

  #up(start: number): void {
    const heap = this.#heap;
    const waiter = heap[start] as Waiter;
    let index = start;
    while (index > 0) {
      const parentIndex = (index - 1) >> 1;
      const parent = heap[parentIndex] as Waiter;
      if (parent.deadlineNs <= waiter.deadlineNs) break;
      heap[index] = parent;
      parent.heapIndex = index;
      index = parentIndex;
    }
    heap[index] = waiter;
    waiter.heapIndex = index;
  }

  #down(start: number): void {
    const heap = this.#heap;
    const waiter = heap[start] as Waiter;
    let index = start;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      const right = heap[child + 1];
      if (right !== undefined && right.deadlineNs < (heap[child] as Waiter).deadlineNs) child++;
      const next = heap[child] as Waiter;
      if (next.deadlineNs >= waiter.deadlineNs) break;
      heap[index] = next;
      next.heapIndex = index;
      index = child;
    }
    heap[index] = waiter;
    waiter.heapIndex = index;
  }
}

/** A waiter that calls a function. */
export function createWaiter(fire: (nowNs: number) => void): Waiter {
  return { heapIndex: -1, deadlineNs: 0, fire };
}
