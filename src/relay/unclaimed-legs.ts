/** Connections to the relay's port whose dial has not come: the message may be on its way, or a stranger knocks, who gets nothing. */
import { clearTimeout, setTimeout } from "node:timers";
import type { RelaySocket } from "./sockets/socket.ts";

const HELD_MS = 2_000;
const MAX_HELD = 1_024;

export class UnclaimedLegs {
  readonly #held = new Map<number, { readonly leg: RelaySocket; readonly timer: NodeJS.Timeout }>();

  hold(port: number, leg: RelaySocket): void {
    // The kernel has given the port to another connection: the one before is over.
    this.#drop(port);
    if (this.#held.size >= MAX_HELD) {
      for (const oldest of this.#held.keys()) {
        this.#drop(oldest);
        break;
      }
    }
    this.#held.set(port, { leg, timer: setTimeout(() => this.#drop(port), HELD_MS) });
  }

  /** The leg from this port, for the dial that it belongs to. */
  take(port: number): RelaySocket | undefined {
    const entry = this.#held.get(port);
    if (entry === undefined) return undefined;
    this.#held.delete(port);
    clearTimeout(entry.timer);
    return entry.leg;
  }

  destroy(): void {
    for (const { leg } of this.#held.values()) leg.destroy();
  }

  #drop(port: number): void {
    this.take(port)?.reset();
  }
}
