/**
 * `packet_reorder` with `stream: "swap"`: packets of a TCP stream really change places, which no network does to a stream. It is for
 * testing code that has to notice broken framing.
 *
 * A packet that is hit leaves after the `window` next ones, or after `maxDelay`, whichever is first. One packet is held at a time: those
 * that overtake it are not hit themselves, so that also with 100 % something is overtaken.
 */
import { IDLE_SPLIT_NS, MSS_BYTES, type ByteStage } from "./byte-stage.ts";
import { decisionAt } from "./decisions.ts";
import { Draws, type Position } from "./draw.ts";
import { Packets } from "./packets.ts";
import type { DecisionSink, Direction, DrawKey, ReorderFault } from "./types.ts";

export interface SwapOptions {
  readonly direction: Direction;
  readonly fault: ReorderFault;
  readonly key: DrawKey;
  readonly onDecision: DecisionSink;
  readonly severityAt?: ((nowNs: number) => number) | undefined;
}

interface Held {
  readonly at: Position;
  readonly sinceNs: number;
  readonly pieces: Uint8Array[];
  bytes: number;
  /** Packets that have begun since. */
  later: number;
}

export class SwapStage implements ByteStage {
  readonly #fault: ReorderFault;
  readonly #draws: Draws;
  readonly #packets: Packets;
  readonly #onDecision: DecisionSink;
  readonly #severityAt: (nowNs: number) => number;
  #held: Held | undefined;
  #lastNs = -Infinity;

  constructor({ direction, fault, key, onDecision, severityAt }: SwapOptions) {
    this.#fault = fault;
    this.#draws = new Draws(key);
    this.#packets = new Packets(direction, MSS_BYTES, IDLE_SPLIT_NS);
    this.#onDecision = onDecision;
    this.#severityAt = severityAt ?? (() => 1);
  }

  push(chunk: Uint8Array, nowNs: number): Uint8Array[] {
    const out = this.advance(nowNs);
    if (chunk.length === 0) return out;
    this.#lastNs = nowNs;
    if (this.#packets.begin(nowNs)) this.#begin(nowNs, out);
    let rest = chunk;
    for (;;) {
      const taken = this.#packets.take(rest.length);
      this.#add(rest.subarray(0, taken), out);
      if (this.#packets.full && this.#isOvertaken()) this.#letGo(nowNs, out);
      rest = rest.subarray(taken);
      if (rest.length === 0) return out;
      this.#packets.next();
      this.#begin(nowNs, out);
    }
  }

  advance(nowNs: number): Uint8Array[] {
    const out: Uint8Array[] = [];
    if (nowNs >= this.dueAtNs()) this.#letGo(nowNs, out);
    return out;
  }

  dueAtNs(): number {
    if (this.#held === undefined) return Infinity;
    const lastNs = this.#held.sinceNs + this.#fault.maxDelayNs;
    // The last packet that overtakes it may be a short one: a pause says that it is over.
    return this.#isOvertaken() ? Math.min(lastNs, this.#lastNs + IDLE_SPLIT_NS) : lastNs;
  }

  flush(nowNs: number): Uint8Array[] {
    const out: Uint8Array[] = [];
    this.#letGo(nowNs, out);
    return out;
  }

  release(): Uint8Array[] {
    return this.flush(this.#lastNs);
  }

  peerReleased(): void {
    this.#packets.peerReleased();
  }

  resumed(nowNs: number): void {
    this.#packets.resumed(nowNs);
    this.#lastNs = nowNs;
  }

  #begin(nowNs: number, out: Uint8Array[]): void {
    if (this.#isOvertaken()) this.#letGo(nowNs, out);
    if (this.#held !== undefined) {
      this.#held.later++;
      return;
    }
    const { direction, exchange, cell, split } = this.#packets;
    const at: Position = { direction, exchange, cell, split };
    const ppm = this.#fault.ppm * this.#severityAt(nowNs);
    if (this.#draws.hits(at, "packet_reorder", 0, ppm)) this.#held = { at, sinceNs: nowNs, pieces: [], bytes: 0, later: 0 };
  }

  #add(bytes: Uint8Array, out: Uint8Array[]): void {
    if (this.#held === undefined || this.#held.later > 0) {
      out.push(bytes);
      return;
    }
    this.#held.pieces.push(bytes);
    this.#held.bytes += bytes.length;
  }

  /** Whether as many packets have begun behind the one that is held as are to overtake it. */
  #isOvertaken(): boolean {
    return this.#held !== undefined && this.#held.later >= this.#fault.window;
  }

  #letGo(nowNs: number, out: Uint8Array[]): void {
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    out.push(...held.pieces);
    // Nothing has overtaken a packet that nothing followed: it was late, that is all.
    const decision = held.later > 0 ? "swapped" : "delay";
    this.#onDecision(decisionAt(held.at, nowNs, held.bytes, "packet_reorder", decision, nowNs - held.sinceNs));
  }
}
