/**
 * Bytes of one direction that have arrived while their acknowledgement is still on its way back: they take up the sender's window, as on a
 * real path, so that throughput is window ÷ round trip however the latency is shared between the two directions.
 */
import { ReleaseQueue } from "../engine/queue.ts";
import type { DeadlineClock, Waiter } from "../internal/deadline-clock.ts";

export class Acknowledgements implements Waiter {
  heapIndex = -1;
  deadlineNs = 0;
  readonly #clock: DeadlineClock;
  readonly #arrived: () => void;
  readonly #queue = new ReleaseQueue();
  #lastNs = 0;
  #bytes = 0;

  /** `arrived`: some have come that were waited for. */
  constructor(clock: DeadlineClock, arrived: () => void) {
    this.#clock = clock;
    this.#arrived = arrived;
  }

  /** These bytes will have been acknowledged at `atNs`, or later if earlier ones are. */
  expect(bytes: number, atNs: number): void {
    this.#lastNs = Math.max(this.#lastNs, atNs);
    this.#queue.add(this.#lastNs, bytes);
    this.#bytes += bytes;
  }

  /** Bytes that are not acknowledged yet. */
  bytes(): number {
    if (this.#bytes > 0) this.#bytes -= this.#queue.takeDue(this.#clock.nowNs());
    return this.#bytes;
  }

  /** Calls back at the next one. */
  wait(): void {
    this.#clock.schedule(this, this.#queue.headNs);
  }

  fire(): void {
    this.#arrived();
  }

  /** Nothing is waited for any more. */
  forget(): void {
    this.#clock.cancel(this);
    this.#queue.takeDue(Infinity);
    this.#bytes = 0;
  }
}
