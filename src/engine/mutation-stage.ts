/**
 * `payload_mutation` on a stream: cuts it into the engine's packets, mutates those that are hit, and passes the rest on at once.
 *
 * A packet that is hit is held back while its fate depends on bytes that may still come: until it is full, the sender pauses for 20 ms,
 * or the stream ends. So the outcome does not depend on how the kernel cut the stream.
 */
import { IDLE_SPLIT_NS, MSS_BYTES, type ByteStage } from "./byte-stage.ts";
import type { Position } from "./draw.ts";
import { concat } from "./faults/mutate-bytes.ts";
import { PayloadMutation, type MutationOptions } from "./faults/payload-mutation.ts";
import type { PatternReplacer } from "./faults/replace-pattern.ts";
import { Packets } from "./packets.ts";
import type { Direction, MutationFault } from "./types.ts";

interface Packet extends Position {
  readonly nowNs: number;
}

export interface MutationStageOptions extends MutationOptions {
  readonly direction: Direction;
}

export class MutationStage implements ByteStage {
  readonly #mutation: PayloadMutation;
  readonly #packets: Packets;
  readonly #replacer: PatternReplacer<Packet> | undefined;
  /** What becomes of the current packet's next bytes; `seek`: patterns that begin in them are replaced. */
  #mode: "pass" | "swallow" | "hold" | "seek" = "pass";
  #packet: Packet = { direction: 0, exchange: -1, cell: 0, split: 0, nowNs: 0 };
  #held: Uint8Array[] = [];
  #heldBytes = 0;
  #lastNs = -Infinity;

  constructor(options: MutationStageOptions) {
    this.#mutation = new PayloadMutation(options);
    this.#packets = new Packets(options.direction, MSS_BYTES, IDLE_SPLIT_NS);
    this.#replacer = options.fault.type === "replace_pattern" ? this.#mutation.replacer<Packet>() : undefined;
  }

  push(chunk: Uint8Array, nowNs: number): Uint8Array[] {
    const out: Uint8Array[] = [];
    if (chunk.length === 0) return out;
    // A timer that is late must not let a pattern go on over a pause.
    if (nowNs - this.#lastNs >= IDLE_SPLIT_NS) this.#complete(nowNs, out, true);
    this.#lastNs = nowNs;
    if (this.#packets.begin(nowNs)) this.#begin(nowNs, out);
    let rest = chunk;
    for (;;) {
      const taken = this.#packets.take(rest.length);
      this.#add(taken === rest.length ? rest : rest.subarray(0, taken), nowNs, out);
      rest = rest.subarray(taken);
      if (rest.length === 0) return out;
      this.#packets.next();
      this.#begin(nowNs, out);
    }
  }

  advance(nowNs: number): Uint8Array[] {
    return nowNs >= this.dueAtNs() ? this.flush(nowNs) : [];
  }

  dueAtNs(): number {
    const holds = this.#heldBytes > 0 || (this.#replacer !== undefined && this.#replacer.held > 0);
    return holds ? this.#lastNs + IDLE_SPLIT_NS : Infinity;
  }

  flush(nowNs: number): Uint8Array[] {
    const out: Uint8Array[] = [];
    this.#complete(nowNs, out, true);
    return out;
  }

  release(): Uint8Array[] {
    const out: Uint8Array[] = [];
    const shown = this.#visible(out);
    this.#replacer?.flush(shown);
    shown.push(...this.#held);
    this.#drop();
    this.#mode = "pass";
    return out;
  }

  peerReleased(): void {
    this.#packets.peerReleased();
  }

  resumed(nowNs: number): void {
    this.#packets.resumed(nowNs);
    this.#lastNs = nowNs;
  }

  #begin(nowNs: number, out: Uint8Array[]): void {
    this.#complete(nowNs, out, false);
    const { direction, exchange, cell, split } = this.#packets;
    this.#packet = { direction, exchange, cell, split, nowNs };
    this.#mode = this.#mutation.isHit(this.#packet, nowNs) ? "hold" : "pass";
  }

  #add(bytes: Uint8Array, nowNs: number, out: Uint8Array[]): void {
    if (this.#mode !== "hold") {
      this.#emit(bytes, out);
      return;
    }
    this.#held.push(bytes);
    this.#heldBytes += bytes.length;
    // A dry run must not even delay.
    if (this.#mutation.fault.dryRun) out.push(bytes);
    if (this.#packets.full || isDetermined(this.#mutation.fault, this.#heldBytes)) this.#decide(nowNs, out);
  }

  /** The current packet is over. */
  #complete(nowNs: number, out: Uint8Array[], paused: boolean): void {
    if (this.#heldBytes > 0) this.#decide(nowNs, out);
    if (paused) this.#replacer?.flush(this.#visible(out));
  }

  #decide(nowNs: number, out: Uint8Array[]): void {
    const packet = concat(this.#held);
    const { fault } = this.#mutation;
    // In a dry run the bytes themselves have gone.
    const shown = this.#visible(out);
    this.#drop();
    this.#mode = "pass";
    if (!this.#mutation.fits(packet.length)) this.#pass(packet, undefined, shown);
    else if (this.#replacer !== undefined) {
      this.#mode = "seek";
      this.#pass(packet, this.#packet, shown);
    } else {
      const changed = this.#mutation.change(packet, this.#packet, nowNs);
      if (changed.length > 0) shown.push(changed);
      if (fault.type === "truncate" && packet.length > fault.truncateBytes && !fault.dryRun) this.#mode = "swallow";
    }
  }

  #emit(bytes: Uint8Array, out: Uint8Array[]): void {
    if (this.#mode === "swallow") return;
    this.#pass(bytes, this.#mode === "seek" ? this.#packet : undefined, this.#visible(out));
    if (this.#mutation.fault.dryRun) out.push(bytes);
  }

  #pass(bytes: Uint8Array, packet: Packet | undefined, out: Uint8Array[]): void {
    if (this.#replacer === undefined) out.push(bytes);
    else this.#replacer.push(bytes, packet, out);
  }

  /** What a dry run makes of the bytes goes nowhere. */
  #visible(out: Uint8Array[]): Uint8Array[] {
    return this.#mutation.fault.dryRun ? [] : out;
  }

  #drop(): void {
    this.#held = [];
    this.#heldBytes = 0;
  }
}

/** Whether the fate of a packet of which so many bytes have come does not depend on those that may follow. */
function isDetermined(fault: MutationFault, bytes: number): boolean {
  if (bytes > fault.maxBytes) return true;
  if (bytes < fault.minBytes || fault.maxBytes < MSS_BYTES) return false;
  switch (fault.type) {
    case "replace_pattern":
      return true;
    case "truncate":
      return bytes > fault.truncateBytes;
    case "inject_bytes":
      return bytes >= fault.injectPosition;
    case "swap_bytes":
      return bytes > Math.max(fault.swapPos1, fault.swapPos2);
    case "corrupt_bytes":
    case "corrupt_encoding":
      return false;
  }
}
