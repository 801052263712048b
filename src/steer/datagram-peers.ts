/** The peers of one UDP socket, and which of them the program spoke to first. */
import { isIP } from "node:net";
import type { DatagramFlow } from "./router.ts";

/** Peers that one socket remembers; those that were met longest ago leave first. */
const MAX_PEERS = 65_536;

export interface Peer {
  readonly address: string;
  readonly port: number;
  /** It spoke first. */
  readonly inbound: boolean;
  hostname: string | undefined;
  flow: DatagramFlow | undefined;
  /** Whether the kernel has a way there: asked until it has. */
  reachable: boolean;
}

export class Peers {
  readonly #peers = new Map<string, Peer>();

  known(address: string, port: number): Peer | undefined {
    return this.#peers.get(`${address} ${port}`);
  }

  /** The peer with this address. `inbound`: if it was not known, it is the one that spoke first. */
  of(address: string, port: number, inbound: boolean): Peer {
    const known = this.known(address, port);
    if (known !== undefined) return known;
    const peer: Peer = { address, port, inbound, hostname: undefined, flow: undefined, reachable: false };
    if (this.#peers.size >= MAX_PEERS) this.#forgetOldest();
    this.#peers.set(`${address} ${port}`, peer);
    return peer;
  }

  all(): Iterable<Peer> {
    return this.#peers.values();
  }

  #forgetOldest(): void {
    for (const [name, { flow }] of this.#peers) {
      if (flow !== undefined && flow.pending > 0) continue;
      this.#peers.delete(name);
      return;
    }
  }
}

/** A name that the program gave; an address is none. */
export function nameOf(given: string | undefined): string | undefined {
  return given === undefined || given === "" || isIP(given) !== 0 ? undefined : given;
}
