/**
 * `rate`: serialisation by virtual finish time, F = max(arrival, F_prev) + bytes·8/rate (link model §3). Exact for any size: an idle link
 * saves nothing up (no burst credit), and because F never depends on when a timer fired, a late timer loses nothing.
 */
import { decisionAt } from "../decisions.ts";
import type { Position } from "../draw.ts";
import type { Decision } from "../types.ts";
import type { SeverityAt } from "./loss.ts";

const BITS_PER_BYTE = 8;
const NS_PER_S = 1e9;

/** Whoever has packets for a link. */
export interface Feeder {
  /** Hands the link its next packet; false where there is none. */
  sendNext(nowNs: number): boolean;
}

/** One transmitter. */
export class Link {
  readonly rateBps: number;
  /** When the last bit of everything accepted so far has left. */
  freeAtNs: number = -Infinity;
  readonly #severityAt: SeverityAt | undefined;

  /** `severityAt` (a schedule) multiplies the time per byte of what begins to leave at that time. */
  constructor(rateBps: number, severityAt?: SeverityAt) {
    this.rateBps = rateBps;
    this.#severityAt = severityAt;
  }

  get unlimited(): boolean {
    return this.rateBps === Infinity;
  }

  /** Whether several flows use it. */
  get shared(): boolean {
    return false;
  }

  /** When it takes the next packet of those who wait with theirs. */
  get opensAtNs(): number {
    return this.freeAtNs;
  }

  /** Takes packets of this feeder, as long as there is room for them now. */
  feed(feeder: Feeder, nowNs: number): void {
    while (this.freeAtNs <= nowNs && feeder.sendNext(nowNs));
  }

  /** Bytes that were accepted and have not left. */
  backlogBytes(nowNs: number): number {
    return this.freeAtNs <= nowNs || this.unlimited ? 0 : ((this.freeAtNs - nowNs) * this.rateBps) / (BITS_PER_BYTE * NS_PER_S);
  }

  /** Transmits `bytes` that are ready at `nowNs`, behind what was accepted before; returns when their last bit has left. */
  send(bytes: number, nowNs: number): number {
    const startNs = Math.max(nowNs, this.freeAtNs);
    const severity = this.#severityAt === undefined ? 1 : this.#severityAt(startNs);
    this.freeAtNs = startNs + (severity * (bytes * BITS_PER_BYTE * NS_PER_S)) / this.rateBps;
    return this.freeAtNs;
  }

  /** How long it takes to transmit `bytes` at the full severity of its schedule. */
  durationNs(bytes: number): number {
    return (bytes * BITS_PER_BYTE * NS_PER_S) / this.rateBps;
  }
}

export function rateDecision(at: Position, nowNs: number, bytes: number, delayNs: number): Decision {
  return decisionAt(at, nowNs, bytes, "rate", "delay", delayNs);
}
