/** Connections to the relay's port whose dial has not come: the message may be on its way, or a stranger knocks, who gets nothing. */
import type { Socket } from "node:net";
import { clearTimeout, setTimeout } from "node:timers";
import { resetSocket } from "./sockets.ts";

const HELD_MS = 2_000;
const MAX_HELD = 1_024;

export class UnclaimedLegs {
  readonly #held = new Map<number, { readonly leg: Socket; readonly timer: NodeJS.Timeout }>();

  hold(port: number, leg: Socket): void {
    if (this.#held.size >= MAX_HELD) {
      for (const oldest of this.#held.keys()) {
        this.#drop(oldest);
        break;
      }
    }
    leg.on("error", ignore);
    this.#held.set(port, { leg, timer: setTimeout(() => this.#drop(port), HELD_MS) });
  }

  /** The leg from this port, for the dial that it belongs to. */
  take(port: number): Socket | undefined {
    const entry = this.#held.get(port);
    if (entry === undefined) return undefined;
    this.#held.delete(port);
    clearTimeout(entry.timer);
    entry.leg.off("error", ignore);
    return entry.leg;
  }

  destroy(): void {
    for (const { leg } of this.#held.values()) leg.destroy();
  }

  #drop(port: number): void {
    const leg = this.take(port);
    leg?.on("error", ignore);
    resetSocket(leg);
  }
}

function ignore(): void {}
