/** `packet_reorder` with `stream: "swap"`: which packets change places, however the stream is cut. */
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { concat } from "../../../src/engine/faults/mutate-bytes.ts";
import { SwapStage } from "../../../src/engine/swap-stage.ts";
import { type Decision, type ReorderFault, UPLINK } from "../../../src/engine/types.ts";
import { KEY, MS, MSS } from "./helpers.ts";

const swapping = (fault: Partial<ReorderFault> = {}): { stage: SwapStage; log: Decision[] } => {
  const log: Decision[] = [];
  const whole: ReorderFault = { ppm: 1_000_000, maxDelayNs: 50 * MS, window: 1, stream: "swap", ...fault };
  return { stage: new SwapStage({ direction: UPLINK, fault: whole, key: KEY, onDecision: (d) => void log.push(d) }), log };
};

/** `packets` packets, each of one letter. */
const stream = (packets: number): Uint8Array => concat(Array.from({ length: packets }, (_, n) => new Uint8Array(MSS).fill(97 + (n % 26))));
const letters = (bytes: Uint8Array): string => String.fromCharCode(...bytes.filter((byte, n) => n % MSS === 0 || byte !== bytes[n - 1]));

it("100 % swaps neighbours: the packets that overtake are not hit themselves", () => {
  const { stage, log } = swapping();
  const out = concat([...stage.push(stream(6), 0), ...stage.flush(0)]);
  expect(letters(out)).toBe("badcfe");
  expect(log.map(({ cell, decision, fault }) => [cell, decision, fault])).toEqual(
    [0, 2, 4].map((cell) => [cell, "swapped", "packet_reorder"]),
  );
});

it("a packet leaves after as many as the window has", () => {
  const { stage } = swapping({ window: 3 });
  expect(letters(concat([...stage.push(stream(6), 0), ...stage.flush(0)]))).toBe("bcdafe");
});

it("a packet that nothing follows leaves after max_delay, and is not called swapped", () => {
  const { stage, log } = swapping({ maxDelayNs: 30 * MS });
  expect(stage.push(stream(1), 5 * MS)).toEqual([]);
  expect(stage.dueAtNs()).toBe(35 * MS);
  expect(stage.advance(34 * MS)).toEqual([]);
  expect(concat(stage.advance(35 * MS))).toHaveLength(MSS);
  expect(log).toMatchObject([{ decision: "delay", delayNs: 30 * MS }]);
  expect(stage.dueAtNs()).toBe(Infinity);
});

it("a short packet overtakes whole, also when it comes in two chunks", () => {
  const { stage } = swapping();
  const out = [
    ...stage.push(stream(1), 0),
    ...stage.push(new Uint8Array(10).fill(98), MS),
    ...stage.push(new Uint8Array(10).fill(98), 2 * MS),
  ];
  expect(concat(out)).toEqual(new Uint8Array(20).fill(98));
  expect(stage.dueAtNs()).toBe(22 * MS);
  expect(concat(stage.advance(22 * MS))).toHaveLength(MSS);
});

it("loses nothing, and swaps the same packets however the stream is cut", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20_000 }),
      fc.integer({ min: 1, max: 4 }),
      fc.constantFrom(200_000, 1_000_000),
      fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 5 }),
      (bytes, window, ppm, sizes) => {
        const sent = Uint8Array.from({ length: bytes }, (_, n) => (n * 7 + Math.floor(n / 256)) % 256);
        const run = (cut: readonly number[]): [Uint8Array, unknown] => {
          const { stage, log } = swapping({ window, ppm });
          const out: Uint8Array[] = [];
          for (let from = 0, n = 0; from < bytes; n++) {
            out.push(...stage.push(sent.subarray(from, from + cut[n % cut.length]!), 0));
            from += cut[n % cut.length]!;
          }
          out.push(...stage.flush(0));
          return [concat(out), log];
        };
        const [whole, wholeLog] = run([bytes]);
        const [pieces, piecesLog] = run(sizes);
        expect(Buffer.compare(pieces, whole)).toBe(0);
        expect(piecesLog).toEqual(wholeLog);
        expect(Buffer.compare(whole.toSorted(), sent.toSorted())).toBe(0);
      },
    ),
    { numRuns: 200 },
  );
});
