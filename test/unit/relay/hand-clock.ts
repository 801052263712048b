import type { Waiter } from "../../../src/internal/deadline-clock.ts";

/** A clock that is moved by hand. */
export class HandClock {
  readonly coalesceNs: number;
  #nowNs = 0;
  readonly #waiters = new Set<Waiter>();

  constructor(coalesceNs = 0) {
    this.coalesceNs = coalesceNs;
  }

  nowNs(): number {
    return this.#nowNs;
  }

  schedule(waiter: Waiter, deadlineNs: number): void {
    this.cancel(waiter);
    if (deadlineNs === Infinity) return;
    waiter.deadlineNs = deadlineNs;
    waiter.heapIndex = 0;
    this.#waiters.add(waiter);
  }

  cancel(waiter: Waiter): void {
    waiter.heapIndex = -1;
    this.#waiters.delete(waiter);
  }

  moveTo(untilNs: number): void {
    for (;;) {
      const [first] = [...this.#waiters].toSorted((a, b) => a.deadlineNs - b.deadlineNs);
      if (first === undefined || first.deadlineNs > untilNs) break;
      this.#nowNs = Math.max(this.#nowNs, first.deadlineNs);
      this.cancel(first);
      first.fire(this.#nowNs);
    }
    this.#nowNs = untilNs;
  }

  get waiting(): number {
    return this.#waiters.size;
  }
}
