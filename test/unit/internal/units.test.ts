import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReadError } from "../../../src/internal/read-error.ts";
import {
  parseDurationNs,
  parseInteger,
  parseProbabilityPpm,
  parseRateBps,
  parseSeed,
  parseSizeBytes,
} from "../../../src/internal/units.ts";

function outcome(parse: (input: unknown) => unknown, input: unknown): string {
  try {
    parse(input);
  } catch (error) {
    if (!(error instanceof ReadError)) return String(error);
  }
  return "a value or a ReadError";
}

describe("texts with units", () => {
  it.each([
    ["1us", 1_000],
    ["0.001us", 1],
    ["3ms", 3_000_000],
    ["0.1s", 100_000_000],
    ["1.5m", 90_000_000_000],
    ["007ms", 7_000_000],
    ["50 ms", 50_000_000],
    ["0.3s", 300_000_000],
    ["1.000000000s", 1_000_000_000],
    ["9007199254.740991ms", 9_007_199_254_740_991],
  ])("the duration %j is %d ns", (text, ns) => {
    expect(parseDurationNs(text)).toBe(ns);
  });

  it.each([
    ["200", "has no unit"],
    [200, "has no unit"],
    [20n, "has no unit"],
    ["-5ms", "is negative"],
    ["", "an empty text"],
    ["5 minutes", "does not end in a known unit"],
    ["5toString", "does not end in a known unit"],
    ["0.0000001ms", "is not a whole multiple of 1 ns"],
    ["9007199254.740992ms", "is more than 104 days"],
    [".5s", "is not a number with a unit"],
    ["5.s", "does not end in a known unit"],
    ["+5s", "is not a number with a unit"],
    ["٥ms", "is not a number with a unit"],
    [`${"9".repeat(80)}ms`, "is too long"],
    [null, "got null"],
    [["5ms"], "got a list"],
  ])("the duration %s is an error that says: %s", (input, message) => {
    expect(() => parseDurationNs(input)).toThrow(message);
    expect(() => parseDurationNs(input)).toThrow(ReadError);
  });

  it("names the units that would be right", () => {
    expect(() => parseRateBps("10mb")).toThrow(
      expect.objectContaining({ expected: expect.stringContaining("kbps, mbps, gbps") as string }),
    );
  });

  it("never rounds: every number of nanoseconds, written in milliseconds, comes back", () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (ns) => {
        const digits = String(ns).padStart(7, "0");
        expect(parseDurationNs(`${digits.slice(0, -6)}.${digits.slice(-6)}ms`)).toBe(ns);
      }),
    );
  });

  it("reads any ppm written as a percentage exactly", () => {
    fc.assert(
      fc.property(fc.nat({ max: 1_000_000 }), (ppm) => {
        const digits = String(ppm).padStart(5, "0");
        expect(parseProbabilityPpm(`${digits.slice(0, -4)}.${digits.slice(-4)}%`)).toBe(ppm);
      }),
    );
  });

  it("throws nothing but a ReadError, whatever the input", () => {
    const parsers = [parseDurationNs, parseRateBps, parseSizeBytes, parseProbabilityPpm, parseSeed, (i: unknown) => parseInteger(i, 0, 9)];
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.string({ unit: "binary" }), fc.stringMatching(/^[-+.0-9a-z% ]+$/)), (input) => {
        for (const parse of parsers) expect(outcome(parse, input)).toBe("a value or a ReadError");
      }),
    );
  });
});

describe("whole numbers", () => {
  it.each([
    [3, 3],
    ["3", 3],
    [" 3 ", 3],
    ["003", 3],
    [-0, 0],
  ])("%j is %d", (input, value) => {
    expect(parseInteger(input, 0, 10)).toBe(value);
  });

  it.each([
    [-1],
    ["-1"],
    ["-0"],
    [11],
    ["11"],
    [1.5],
    ["1.5"],
    ["2.0"],
    [""],
    ["x"],
    ["1e1"],
    ["0x1"],
    [NaN],
    [Infinity],
    [true],
    [null],
    [1n],
  ])("%s is an error from 0 to 10", (input) => {
    expect(() => parseInteger(input, 0, 10)).toThrow(ReadError);
  });

  it("does not take a text that is too big to be exact", () => {
    expect(() => parseInteger("9007199254740993", 0, Number.MAX_SAFE_INTEGER)).toThrow("out of range");
  });
});

describe("seeds", () => {
  it.each([
    [0, 0n],
    [9007199254740991, 9007199254740991n],
    [2n ** 64n - 1n, 2n ** 64n - 1n],
    ["0XfF", 255n],
    ["0B11", 3n],
    [" 7 ", 7n],
    ["0xffffffffffffffff", 2n ** 64n - 1n],
    [`0b${"1".repeat(64)}`, 2n ** 64n - 1n],
  ])("%s is a seed", (input, seed) => {
    expect(parseSeed(input)).toBe(seed);
  });

  it.each([[-1n], [2n ** 64n], [2 ** 53], ["0b2"], ["0x"], ["1e3"], [""], [null], [true], ["-0x1"], ["-0"]])("%s is none", (input) => {
    expect(() => parseSeed(input)).toThrow(ReadError);
  });

  it("says what to do with a number that is not exact", () => {
    expect(() => parseSeed(2 ** 53)).toThrow("write the seed as text");
  });
});
