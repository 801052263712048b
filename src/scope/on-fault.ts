/** Telling the program of every fault as it happens. */
import { channel } from "node:diagnostics_channel";
import { nextTick } from "../internal/real-timers.ts";
import { checkFunction } from "./policies.ts";
import type { FaultEvent } from "./record.ts";

export type FaultListener = (event: FaultEvent) => void;

/** Stops listening; also for `using`. */
export interface StopListening extends Disposable {
  (): void;
}

export class FaultFeed {
  readonly #listeners = new Set<{ readonly listener: FaultListener }>();
  // Held here: channels that nobody holds can be collected, and their subscribers with them.
  readonly #channel = channel("faultcore:event");
  readonly #changed: () => void;

  /** `changed` is called when a listener was added or removed; subscribers of the channel come and go unseen. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  /** Whether anybody listens: else what no report keeps need not be told. */
  get wanted(): boolean {
    return this.#listeners.size > 0 || this.#channel.hasSubscribers;
  }

  publish(event: FaultEvent): void {
    // A listener that is added or removed meanwhile counts from the next event on.
    for (const { listener } of [...this.#listeners]) {
      try {
        listener(event);
      } catch (error) {
        // As diagnostics channels do it: an uncaught exception, and the others still hear of the event.
        nextTick(() => {
          throw error;
        });
      }
    }
    if (this.#channel.hasSubscribers) this.#channel.publish(event);
  }

  onFault(listener: FaultListener): StopListening {
    checkFunction(listener, "onFault()");
    // An object of its own for each call: the same function may listen twice, and stops once at a time.
    const entry = { listener };
    this.#listeners.add(entry);
    this.#changed();
    const stop = (): void => {
      if (this.#listeners.delete(entry)) this.#changed();
    };
    return Object.assign(stop, { [Symbol.dispose]: stop });
  }
}
