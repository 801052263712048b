/**
 * `rate`: serialisation by virtual finish time, F = max(arrival, F_prev) + bytes·8/rate (link model §3). Exact for any size: an idle link
 * saves nothing up (no burst credit), and because F never depends on when a timer fired, a late timer loses nothing.
 */
import { decisionAt } from "../decisions.ts";
import type { Position } from "../draw.ts";
import type { Decision } from "../types.ts";

const BITS_PER_BYTE = 8;
const NS_PER_S = 1e9;

/** One transmitter. Flows that share a link (`rate_share: scope`) share the object. */
export class Link {
  readonly rateBps: number;
  /** When the last bit of everything accepted so far has left. */
  freeAtNs: number = -Infinity;

  constructor(rateBps: number) {
    this.rateBps = rateBps;
  }

  get unlimited(): boolean {
    return this.rateBps === Infinity;
  }

  /** Bytes that were accepted and have not left. */
  backlogBytes(nowNs: number): number {
    return this.freeAtNs <= nowNs || this.unlimited ? 0 : ((this.freeAtNs - nowNs) * this.rateBps) / (BITS_PER_BYTE * NS_PER_S);
  }

  /** Transmits `bytes` that are ready at `nowNs`, behind what was accepted before; returns when their last bit has left. */
  send(bytes: number, nowNs: number): number {
    const startNs = Math.max(nowNs, this.freeAtNs);
    this.freeAtNs = startNs + (bytes * BITS_PER_BYTE * NS_PER_S) / this.rateBps;
    return this.freeAtNs;
  }
}

export function rateDecision(at: Position, nowNs: number, bytes: number, delayNs: number): Decision {
  return decisionAt(at, nowNs, bytes, "rate", "delay", delayNs);
}
