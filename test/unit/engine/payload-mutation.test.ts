/** `payload_mutation`: what becomes of whole packets. `mutation-stage.test.ts` has streams. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PayloadMutation } from "../../../src/engine/faults/payload-mutation.ts";
import { type Decision, type MutationFault, UPLINK } from "../../../src/engine/types.ts";
import { isInjection } from "../../../src/engine/decisions.ts";
import { bytesOf, KEY, NO_MUTATION, textOf } from "./helpers.ts";

const at = (cell: number): { direction: 0; exchange: number; cell: number; split: number } => ({
  direction: UPLINK,
  exchange: 0,
  cell,
  split: 0,
});

function onPackets(fault: Partial<MutationFault>, packets: readonly string[]): { out: string[]; log: Decision[] } {
  const log: Decision[] = [];
  const mutation = new PayloadMutation({
    fault: { ...NO_MUTATION, ...fault },
    key: KEY,
    onDecision: (decision) => void log.push(decision),
  });
  return { out: packets.map((packet, n) => textOf(mutation.datagram(bytesOf(packet), at(n), 0))), log };
}

describe("a packet", () => {
  it("is truncated", () => {
    const { out, log } = onPackets({ type: "truncate", truncateBytes: 4 }, ["abcdefgh", "abcd", "ab", ""]);
    expect(out).toEqual(["abcd", "abcd", "ab", ""]);
    expect(log.map(({ cell, decision, fault }) => [cell, decision, fault])).toEqual([[0, "truncate", "payload_mutation"]]);
  });

  it("has data injected, unless it is shorter than the position", () => {
    const { out, log } = onPackets({ type: "inject_bytes", injectPosition: 2, injectData: "—" }, ["abc", "ab", "a"]);
    expect(out).toEqual(["ab—c", "ab—", "a"]);
    expect(log.map(({ bytes }) => bytes)).toEqual([3, 3]);
  });

  it("has two bytes swapped, unless it is too short or they are equal", () => {
    const { out, log } = onPackets({ type: "swap_bytes", swapPos1: 0, swapPos2: 3 }, ["abcd", "abc", "xyzx"]);
    expect(out).toEqual(["dbca", "abc", "xyzx"]);
    expect(log).toHaveLength(1);
  });

  it("has a pattern replaced, as often as it is there", () => {
    const fault: Partial<MutationFault> = { type: "replace_pattern", replaceFind: "grün", replaceWith: "rot", maxBufferBytes: 1 };
    const { out, log } = onPackets(fault, ["grün ist grün", "gr", "ün"]);
    expect(out).toEqual(["rot ist rot", "gr", "ün"]);
    expect(log).toHaveLength(2);
  });

  it("has exactly `corrupt_count` bytes changed, in places that depend on the seed and the position only", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 400 }), fc.nat(50), (packet, corruptCount, cell) => {
        const run = (corruptSeed?: bigint): Uint8Array => {
          const fault: MutationFault = { ...NO_MUTATION, type: "corrupt_bytes", corruptCount, corruptSeed };
          return new PayloadMutation({ fault, key: KEY, onDecision: () => {} }).datagram(packet, at(cell), 0);
        };
        const before = packet.slice();
        const changed = run();
        expect(packet).toEqual(before);
        expect(changed).toHaveLength(packet.length);
        expect(changed.filter((byte, n) => byte !== packet[n])).toHaveLength(Math.min(corruptCount, packet.length));
        expect(run()).toEqual(changed);
        expect(run(KEY.seed)).toEqual(changed);
        const leavesChoice = packet.length > 20 && corruptCount > 5 && corruptCount < packet.length;
        expect(leavesChoice && Buffer.compare(run(99n), changed) === 0).toBe(false);
      }),
    );
  });

  it("is no UTF-8 any more after corrupt_encoding, and as long as before", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", minLength: 1 }), (text) => {
        const packet = bytesOf(text);
        const mutation = new PayloadMutation({ fault: { ...NO_MUTATION, type: "corrupt_encoding" }, key: KEY, onDecision: () => {} });
        const changed = mutation.datagram(packet, at(0), 0);
        expect(changed).toHaveLength(packet.length);
        expect(() => new TextDecoder("utf-8", { fatal: true }).decode(changed)).toThrow();
      }),
    );
  });

  it("that is too small or too big is left alone", () => {
    const { out } = onPackets({ type: "truncate", truncateBytes: 1, minBytes: 3, maxBytes: 5 }, ["ab", "abc", "abcde", "abcdef"]);
    expect(out).toEqual(["ab", "a", "a", "abcdef"]);
  });

  it("every n-th one is meant by every_n_packets, whatever the time", () => {
    const { out } = onPackets({ type: "truncate", truncateBytes: 0, everyNPackets: 3 }, ["a", "b", "c", "d", "e", "f", "g"]);
    expect(out).toEqual(["a", "b", "", "d", "e", "", "g"]);
  });

  it("is hit with the probability given, scaled by the schedule's severity", () => {
    const PACKETS = 40_000;
    for (const [severity, share] of [
      [1, 0.2],
      [0.5, 0.1],
      [0, 0],
    ] as const) {
      let hits = 0;
      const fault: MutationFault = { ...NO_MUTATION, ppm: 200_000, type: "truncate" };
      const mutation = new PayloadMutation({ fault, key: KEY, onDecision: () => void hits++, severityAt: () => severity });
      for (let n = 0; n < PACKETS; n++) mutation.datagram(bytesOf("x"), at(n), 0);
      // Five standard deviations.
      expect(Math.abs(hits / PACKETS - share)).toBeLessThanOrEqual(5 * Math.sqrt((share * (1 - share)) / PACKETS));
    }
  });

  it("stays as it is in a dry run, whose records do not count as injected", () => {
    const { out, log } = onPackets({ type: "truncate", truncateBytes: 1, dryRun: true }, ["abc", "a"]);
    expect(out).toEqual(["abc", "a"]);
    expect(log.map(({ decision }) => decision)).toEqual(["dry run: truncate"]);
    expect(log.map(({ decision }) => isInjection(decision))).toEqual([false]);
    expect([isInjection("truncate"), isInjection("recovered")]).toEqual([true, false]);
  });
});
