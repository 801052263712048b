/**
 * `payload_mutation`: changes payload. With `packet_reorder`'s `stream: "swap"` the one fault that sees bytes: all others of the engine
 * are told lengths only.
 *
 * Owns: which packets are hit (probability, every n-th, size), what becomes of them, the records. Packets are counted, never the clock:
 * the same conversation is mutated in the same places, whenever it happens. A dry run records and changes nothing.
 */
import { decisionAt, DRY_RUN } from "../decisions.ts";
import { Draws, type Position } from "../draw.ts";
import type { Decision, DecisionSink, Direction, DrawKey, MutationFault } from "../types.ts";
import { UPLINK } from "../types.ts";
import { concat, corruptBytes, corruptEncoding, injectBytes, swapBytes, truncate } from "./mutate-bytes.ts";
import { PatternReplacer } from "./replace-pattern.ts";

export interface MutationOptions {
  readonly fault: MutationFault;
  readonly key: DrawKey;
  readonly onDecision: DecisionSink;
  /** How severely a schedule lets the fault act at a time, 0 to 1; always 1 without one. */
  readonly severityAt?: ((nowNs: number) => number) | undefined;
}

/** Whether the fault acts in a direction at all. */
export function mutates(fault: MutationFault | undefined, direction: Direction): fault is MutationFault {
  return fault !== undefined && (direction === UPLINK ? fault.uplink : fault.downlink);
}

/** The mutation of one direction of one flow. Whole packets go through `datagram`; `mutation-stage.ts` takes those of a stream apart. */
export class PayloadMutation {
  readonly fault: MutationFault;
  readonly #draws: Draws;
  readonly #corruptDraws: Draws;
  readonly #onDecision: DecisionSink;
  readonly #severityAt: (nowNs: number) => number;
  readonly #inject: Uint8Array;
  readonly #find: Uint8Array;
  readonly #replacement: Uint8Array;
  #packets = 0;

  constructor({ fault, key, onDecision, severityAt }: MutationOptions) {
    this.fault = fault;
    this.#draws = new Draws(key);
    this.#corruptDraws = fault.corruptSeed === undefined ? this.#draws : new Draws({ ...key, seed: fault.corruptSeed });
    this.#onDecision = onDecision;
    this.#severityAt = severityAt ?? (() => 1);
    const utf8 = new TextEncoder();
    this.#inject = utf8.encode(fault.injectData);
    this.#find = utf8.encode(fault.replaceFind);
    this.#replacement = utf8.encode(fault.replaceWith);
  }

  /** A datagram as it goes on. To be called for every one, in order. */
  datagram(packet: Uint8Array, at: Position, nowNs: number): Uint8Array {
    return this.isHit(at, nowNs) && this.fits(packet.length) ? this.change(packet, at, nowNs) : packet;
  }

  /** Whether the next packet is one to mutate, its size aside. To be asked once for each packet, in order. */
  isHit(at: Position, nowNs: number): boolean {
    this.#packets++;
    if (this.#packets % this.fault.everyNPackets !== 0) return false;
    return this.#draws.hits(at, "payload_mutation", 0, this.fault.ppm * this.#severityAt(nowNs));
  }

  fits(bytes: number): boolean {
    return bytes >= this.fault.minBytes && bytes <= this.fault.maxBytes;
  }

  /** A packet that is hit, after the change; the packet itself where there is nothing to change, or in a dry run. */
  change(packet: Uint8Array, at: Position, nowNs: number): Uint8Array {
    const { fault } = this;
    if (fault.type === "replace_pattern") return this.#replaceIn(packet, at, nowNs);
    const changed = this.#changed(packet, at);
    if (changed === packet) return packet;
    this.#onDecision(this.#decision(at, nowNs));
    return fault.dryRun ? packet : changed;
  }

  /** For a stream, in which a pattern may go on in the next packet. `at`: the packet in which a match begins. */
  replacer<At extends Position & { readonly nowNs: number }>(): PatternReplacer<At> {
    return new PatternReplacer<At>({
      find: this.#find,
      replacement: this.#replacement,
      maxBufferBytes: this.fault.maxBufferBytes,
      onMatch: (at) => this.#onDecision(this.#decision(at, at.nowNs)),
    });
  }

  #replaceIn(packet: Uint8Array, at: Position, nowNs: number): Uint8Array {
    let found = false;
    const out: Uint8Array[] = [];
    const replacer = new PatternReplacer<Position>({
      find: this.#find,
      replacement: this.#replacement,
      maxBufferBytes: Infinity,
      onMatch: () => {
        found = true;
        this.#onDecision(this.#decision(at, nowNs));
      },
    });
    replacer.push(packet, at, out);
    replacer.flush(out);
    return found && !this.fault.dryRun ? concat(out) : packet;
  }

  #changed(packet: Uint8Array, at: Position): Uint8Array {
    const { fault } = this;
    // Attempt 0 is whether the packet is hit.
    const uniform = (n: number): number => this.#corruptDraws.uniform(at, "payload_mutation", n + 1);
    switch (fault.type) {
      case "truncate":
        return truncate(packet, fault.truncateBytes);
      case "inject_bytes":
        return injectBytes(packet, fault.injectPosition, this.#inject);
      case "corrupt_bytes":
        return corruptBytes(packet, fault.corruptCount, uniform);
      case "corrupt_encoding":
        return corruptEncoding(packet, uniform);
      case "swap_bytes":
        return swapBytes(packet, fault.swapPos1, fault.swapPos2);
      case "replace_pattern":
        return packet;
    }
  }

  /** `bytes`: those that the change is about, which is the same however the packet arrived. */
  #decision(at: Position, nowNs: number): Decision {
    const { fault } = this;
    const bytes = {
      truncate: fault.truncateBytes,
      inject_bytes: this.#inject.length,
      corrupt_bytes: fault.corruptCount,
      corrupt_encoding: 1,
      swap_bytes: 2,
      replace_pattern: this.#find.length,
    }[fault.type];
    return decisionAt(at, nowNs, bytes, "payload_mutation", fault.dryRun ? `${DRY_RUN}${fault.type}` : fault.type, 0);
  }
}
