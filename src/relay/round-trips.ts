/**
 * The round trip to each real peer, as its dials measured it: the least one seen, since a busy relay only ever measures too much. Loss
 * recovery builds its timers on it.
 */

/** Peers that are remembered; the oldest leave first. */
const MAX_PEERS = 1024;

export class RoundTrips {
  readonly #least = new Map<string, number>();

  /** Takes a measurement in and returns the best known one. */
  note(address: string, port: number, measuredNs: number): number {
    const peer = `${address} ${port}`;
    const least = Math.min(measuredNs, this.#least.get(peer) ?? Infinity);
    this.#least.delete(peer);
    this.#least.set(peer, least);
    if (this.#least.size > MAX_PEERS) for (const oldest of this.#least.keys()) if (this.#least.delete(oldest)) break;
    return least;
  }
}
