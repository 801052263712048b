/**
 * Legs that the program started and that will not arrive: where descriptors have run out, the kernel's accept queue is emptied by closing
 * what is in it. They must not count as on their way for ever, or no other leg would ever start.
 */
import { clearTimeout, setTimeout } from "node:timers";

/** How long a dial waits for its leg, and a leg that is missing counts as on its way. */
export const LEG_WAIT_MS = 5_000;

export class MissingLegs {
  readonly #timers = new Map<number, NodeJS.Timeout>();
  readonly #writeOff: () => void;

  constructor(writeOff: () => void) {
    this.#writeOff = writeOff;
  }

  /** The dial is over, and its leg has not been accepted. */
  add(port: number): void {
    clearTimeout(this.#timers.get(port));
    const timer = setTimeout(() => {
      this.#timers.delete(port);
      this.#writeOff();
    }, LEG_WAIT_MS);
    this.#timers.set(port, timer.unref());
  }

  /** A leg from this port was accepted after all. */
  arrived(port: number): void {
    if (this.#timers.size === 0) return;
    clearTimeout(this.#timers.get(port));
    this.#timers.delete(port);
  }
}
