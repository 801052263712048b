/** What the peer did before the program was told that it is connected: it counts from when it happened. */
import type { End } from "./sockets/end.ts";

export interface Arrival {
  readonly atNs: number;
  readonly what: Buffer | End;
}

export class EarlyArrivals {
  #arrivals: Arrival[] = [];
  bytes = 0;

  add(what: Buffer | End, atNs: number): void {
    this.#arrivals.push({ atNs, what });
    if (Buffer.isBuffer(what)) this.bytes += what.length;
  }

  take(): readonly Arrival[] {
    const arrivals = this.#arrivals;
    this.#arrivals = [];
    this.bytes = 0;
    return arrivals;
  }
}
