/** `payload_mutation` on streams: the outcome is the same however a stream is cut. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { concat } from "../../../src/engine/faults/mutate-bytes.ts";
import { MutationStage } from "../../../src/engine/mutation-stage.ts";
import { type Decision, type MutationFault, UPLINK } from "../../../src/engine/types.ts";
import { bytesOf, KEY, MS, MSS, NO_MUTATION, textOf, verdicts } from "./helpers.ts";

interface Streamed {
  readonly out: string;
  readonly log: Decision[];
}

/** A stream whose messages come at the times given, each cut by `cut`; latin1, so that any byte is a character. */
function onStream(
  fault: Partial<MutationFault>,
  messages: readonly { readonly atNs: number; readonly text: string }[],
  cut: (text: string) => string[] = (text) => [text],
): Streamed {
  const log: Decision[] = [];
  const out: Uint8Array[] = [];
  const stage = new MutationStage({
    direction: UPLINK,
    fault: { ...NO_MUTATION, ...fault },
    key: KEY,
    onDecision: (decision) => void log.push(decision),
  });
  let nowNs = 0;
  for (const { atNs, text } of messages) {
    if (stage.dueAtNs() <= atNs) out.push(...stage.advance(stage.dueAtNs()));
    nowNs = atNs;
    for (const piece of cut(text))
      out.push(
        ...stage.push(
          Uint8Array.from(piece, (c) => c.charCodeAt(0)),
          nowNs,
        ),
      );
  }
  out.push(...stage.flush(nowNs));
  expect(stage.dueAtNs()).toBe(Infinity);
  return { out: String.fromCharCode(...concat(out)), log };
}

const chunked =
  (sizes: readonly number[]) =>
  (text: string): string[] => {
    const pieces: string[] = [];
    for (let from = 0, n = 0; from < text.length; n++) {
      const size = sizes[n % sizes.length]!;
      pieces.push(text.slice(from, from + size));
      from += size;
    }
    return pieces;
  };

describe("a stream", () => {
  it("has a pattern replaced as in one long text, however it is cut, and with the same log", () => {
    const alphabet = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 400 });
    const find = fc.string({ unit: fc.constantFrom("a", "b"), minLength: 1, maxLength: 6 });
    const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(
        alphabet,
        find,
        fc.string({ unit: fc.constantFrom("a", "b", "x"), maxLength: 4 }),
        sizes,
        (text, replaceFind, replaceWith, cut) => {
          const fault: Partial<MutationFault> = { type: "replace_pattern", replaceFind, replaceWith };
          const naive = text.replaceAll(replaceFind, () => replaceWith);
          const whole = onStream(fault, [{ atNs: 0, text }]);
          const pieces = onStream(fault, [{ atNs: 0, text }], chunked(cut));
          expect(whole.out).toBe(naive);
          expect(pieces.out).toBe(naive);
          expect(verdicts(pieces.log)).toEqual(verdicts(whole.log));
          expect(whole.log).toHaveLength(text.split(replaceFind).length - 1);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("has a pattern replaced across packets, and counts it for the packet in which it begins", () => {
    const text = `${"-".repeat(MSS - 3)}needle${"-".repeat(50)}`;
    const { out, log } = onStream({ type: "replace_pattern", replaceFind: "needle", replaceWith: "N" }, [{ atNs: 0, text }]);
    expect(out).toBe(text.replace("needle", "N"));
    expect(log).toMatchObject([{ exchange: 0, cell: 0, split: 0, decision: "replace_pattern", bytes: 6 }]);
    const second = onStream({ type: "replace_pattern", replaceFind: "needle", replaceWith: "N", everyNPackets: 2 }, [{ atNs: 0, text }]);
    expect(second.out).toBe(text);
  });

  it("has a pattern replaced that comes in two messages within 20 ms, and not one that comes with a longer pause", () => {
    const fault: Partial<MutationFault> = { type: "replace_pattern", replaceFind: "needle", replaceWith: "N" };
    const halves = (gapNs: number): string =>
      onStream(fault, [
        { atNs: 0, text: "a need" },
        { atNs: gapNs, text: "le b" },
      ]).out;
    expect(halves(19 * MS)).toBe("a N b");
    expect(halves(20 * MS)).toBe("a needle b");
  });

  it("is not held back for a pattern longer than the buffer, which is not found", () => {
    const fault: Partial<MutationFault> = { type: "replace_pattern", replaceFind: "needle", replaceWith: "N", maxBufferBytes: 3 };
    expect(onStream(fault, [{ atNs: 0, text: "a needle" }]).out).toBe("a needle");
    const stage = new MutationStage({ direction: UPLINK, fault: { ...NO_MUTATION, ...fault }, key: KEY, onDecision: () => {} });
    expect(concat(stage.push(bytesOf("needl"), 0)).length).toBeGreaterThanOrEqual(2);
  });

  it("is mutated the same way however it is cut, by every type", () => {
    const faults = fc.record<MutationFault>({
      ...(Object.fromEntries(Object.entries(NO_MUTATION).map(([key, value]) => [key, fc.constant(value)])) as {
        [K in keyof MutationFault]: fc.Arbitrary<MutationFault[K]>;
      }),
      type: fc.constantFrom("truncate", "corrupt_bytes", "inject_bytes", "replace_pattern", "corrupt_encoding", "swap_bytes"),
      ppm: fc.constantFrom(1_000_000, 400_000),
      truncateBytes: fc.constantFrom(0, 3, 700, MSS - 1, MSS, 3000),
      corruptCount: fc.constantFrom(1, 5, 2000),
      injectPosition: fc.constantFrom(0, 3, MSS, 4000),
      injectData: fc.constantFrom("x", "injected"),
      replaceFind: fc.constantFrom("a", "ab", "aab", "bab".repeat(600)),
      replaceWith: fc.constantFrom("", "a", "xyz"),
      swapPos1: fc.constantFrom(0, 2),
      swapPos2: fc.constantFrom(1, 9, MSS - 1),
      minBytes: fc.constantFrom(0, 0, 5, MSS),
      maxBytes: fc.constantFrom(Infinity, Infinity, 5, 1000, MSS),
      everyNPackets: fc.constantFrom(1, 1, 3),
      dryRun: fc.boolean(),
    });
    const message = fc.record({
      gapNs: fc.constantFrom(0, 5 * MS, 20 * MS, 500 * MS),
      text: fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 4000, size: "max" }),
    });
    const sizes = fc.array(fc.integer({ min: 1, max: 1700 }), { minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(faults, fc.array(message, { minLength: 1, maxLength: 4 }), sizes, (fault, spaced, cut) => {
        let atNs = 0;
        const messages = spaced.map(({ gapNs, text }) => ({ atNs: (atNs += gapNs), text }));
        const whole = onStream(fault, messages);
        const pieces = onStream(fault, messages, chunked(cut));
        expect(pieces.out).toBe(whole.out);
        expect(pieces.log.map(withoutTime)).toEqual(whole.log.map(withoutTime));
        const untouched = fault.dryRun || whole.log.length === 0;
        expect(untouched && whole.out !== messages.map(({ text }) => text).join("")).toBe(false);
      }),
      { numRuns: 300 },
    );
  });

  it("waits for the rest of a packet only where its fate depends on it, and at most 20 ms after the last byte", () => {
    const stage = (fault: Partial<MutationFault>): MutationStage =>
      new MutationStage({ direction: UPLINK, fault: { ...NO_MUTATION, ...fault }, key: KEY, onDecision: () => {} });
    const truncating = stage({ type: "truncate", truncateBytes: 3 });
    expect(textOf(concat(truncating.push(bytesOf("abcdef"), 0)))).toBe("abc");
    expect(concat(truncating.push(bytesOf("ghi"), 1 * MS))).toHaveLength(0);
    expect(truncating.dueAtNs()).toBe(Infinity);
    const corrupting = stage({ type: "corrupt_bytes", corruptCount: 1 });
    expect(corrupting.push(bytesOf("abc"), 0)).toEqual([]);
    expect(corrupting.push(bytesOf("def"), 10 * MS)).toEqual([]);
    expect(corrupting.dueAtNs()).toBe(30 * MS);
    expect(concat(corrupting.advance(30 * MS))).toHaveLength(6);
    const missing = stage({ type: "corrupt_bytes", corruptCount: 1, ppm: 0 });
    expect(textOf(concat(missing.push(bytesOf("abc"), 0)))).toBe("abc");
  });

  it("gets back what was held, as it came, when the scope ends", () => {
    const fault: MutationFault = { ...NO_MUTATION, type: "replace_pattern", replaceFind: "needle", replaceWith: "N", minBytes: 10 };
    const stage = new MutationStage({ direction: UPLINK, fault, key: KEY, onDecision: () => {} });
    const out = [...stage.push(bytesOf(`${"-".repeat(MSS - 2)}nee`), 0)];
    expect(textOf(concat([...out, ...stage.release()]))).toBe(`${"-".repeat(MSS - 2)}nee`);
    expect(stage.dueAtNs()).toBe(Infinity);
  });
});

/** Times of decisions that wait for the packet's end differ by nothing here, but are no part of the promise. */
function withoutTime(decision: Decision): Decision {
  return { ...decision, atNs: 0 };
}
