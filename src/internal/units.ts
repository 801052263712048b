/**
 * Texts with units: durations, rates, sizes, probabilities, and the integers without one.
 *
 * Owns: the syntax, exactly. Decimals are read digit by digit into big integers, so no float ever rounds a value, and what does not
 * come out as a whole number of the smallest unit is an error, never cut off.
 */
import { describeValue, quote } from "./describe.ts";
import { ReadError } from "./read-error.ts";

interface UnitFamily {
  readonly expected: string;
  /** The unit that values are counted in, as a message names one of it. */
  readonly smallest: string;
  /** How many of the smallest unit each unit is. */
  readonly units: Readonly<Record<string, bigint>>;
  readonly max: bigint;
  readonly maxText: string;
  readonly min?: bigint;
}

const MAX_SAFE = BigInt(Number.MAX_SAFE_INTEGER);
/** Longer than any sensible value; keeps the arithmetic bounded whatever the input is. */
const MAX_LENGTH = 64;

const DURATION: UnitFamily = {
  expected: 'a duration with a unit (us, ms, s, m), such as "50ms", "0.5s", "250us" or "2m"',
  smallest: "1 ns",
  units: { us: 1_000n, ms: 1_000_000n, s: 1_000_000_000n, m: 60_000_000_000n },
  max: MAX_SAFE,
  maxText: "104 days",
};

const RATE: UnitFamily = {
  expected: 'a rate with a unit (bps, kbps, mbps, gbps; bits per second), such as "10mbps"',
  smallest: "1 bps",
  units: { bps: 1n, kbps: 1_000n, mbps: 1_000_000n, gbps: 1_000_000_000n },
  max: MAX_SAFE,
  maxText: "9007199gbps",
  min: 1n,
};

const SIZE: UnitFamily = {
  expected: 'a size with a unit (b, kb, mb, gb; kib, mib, gib; bytes), such as "16kb"',
  smallest: "1 byte",
  units: { b: 1n, kb: 1_000n, mb: 1_000_000n, gb: 1_000_000_000n, kib: 1_024n, mib: 1_048_576n, gib: 1_073_741_824n },
  max: MAX_SAFE,
  maxText: "9007199gb",
};

const PROBABILITY: UnitFamily = {
  expected: 'a probability from 0 to 100 % with a unit (%, ppm), such as "1%" or "500ppm"',
  smallest: "1 ppm",
  units: { "%": 10_000n, ppm: 1n },
  max: 1_000_000n,
  maxText: "100%",
};

/**
 * Reads a duration. Case and surrounding space are ignored.
 *
 * @returns nanoseconds, a whole number up to 2^53−1 (104 days).
 * @throws {ReadError} without a unit, negative, finer than 1 ns, too large, or not text.
 * @example
 * parseDurationNs("0.5ms"); // 500_000
 */
export function parseDurationNs(input: unknown): number {
  return parseQuantity(input, DURATION);
}

/**
 * Reads a rate. `unlimited` is not a number and is handled where it is allowed.
 *
 * @returns bits per second (decimal: 1 kbps = 1000), a whole number from 1 up.
 * @throws {ReadError} without a unit, zero, negative, finer than 1 bps, too large, or not text.
 * @example
 * parseRateBps("1.5mbps"); // 1_500_000
 */
export function parseRateBps(input: unknown): number {
  return parseQuantity(input, RATE);
}

/**
 * Reads a size.
 *
 * @returns bytes: `kb mb gb` are decimal, `kib mib gib` binary.
 * @throws {ReadError} without a unit, negative, finer than 1 byte, too large, or not text.
 * @example
 * parseSizeBytes("64kib"); // 65_536
 */
export function parseSizeBytes(input: unknown): number {
  return parseQuantity(input, SIZE);
}

/**
 * Reads a probability.
 *
 * @returns parts per million, 0 to 1,000,000.
 * @throws {ReadError} without a unit, out of range, finer than 1 ppm (0.0001 %), or not text.
 * @example
 * parseProbabilityPpm("0.57%"); // 5_700
 */
export function parseProbabilityPpm(input: unknown): number {
  return parseQuantity(input, PROBABILITY);
}

/**
 * Reads a whole number, given as a number or as decimal text.
 *
 * @throws {ReadError} when it is not whole, or outside `min` to `max`.
 * @example
 * parseInteger("3", 1, 65_535); // 3
 */
export function parseInteger(input: unknown, min: number, max: number): number {
  const expected = `a whole number ${max === Number.MAX_SAFE_INTEGER ? `from ${min} up` : `from ${min} to ${max}`}`;
  let value: number;
  if (typeof input === "number" && Number.isSafeInteger(input)) {
    value = input;
  } else if (typeof input === "string" && input.length <= MAX_LENGTH && /^-?\d+$/.test(input.trim())) {
    value = Number(input.trim());
  } else {
    throw new ReadError(`${describeValue(input)} is not a whole number`, expected);
  }
  // "-0" is negative to whoever wrote it, and to the JSON Schema.
  const negative = typeof input === "string" && input.trim().startsWith("-");
  if (negative || value < min || value > max || !Number.isSafeInteger(value)) {
    throw new ReadError(`${describeValue(input)} is out of range`, expected);
  }
  return value === 0 ? 0 : value; // -0 is a number too
}

const SEED_EXPECTED = 'a whole number from 0 to 2^64-1, such as 42, "0x10" or "0b101"';
const MAX_SEED = 0xffff_ffff_ffff_ffffn;

/**
 * Reads a seed: a number up to 2^53−1, a bigint, or text in decimal, `0x` or `0b` notation.
 *
 * @returns an unsigned 64-bit integer. Zero is a seed like any other.
 * @throws {ReadError} when it is negative, fractional, over 64 bits, or a number over 2^53−1 (which is not exact: use text).
 * @example
 * parseSeed("0x10"); // 16n
 */
export function parseSeed(input: unknown): bigint {
  const value = readSeed(input);
  if (value < 0n) throw new ReadError(`${describeValue(input)} is negative`, SEED_EXPECTED);
  if (value > MAX_SEED) throw new ReadError(`${describeValue(input)} has more than 64 bits`, SEED_EXPECTED);
  return value;
}

function readSeed(input: unknown): bigint {
  if (typeof input === "bigint") return input;
  if (typeof input === "number" && Number.isInteger(input)) {
    if (Number.isSafeInteger(input)) return BigInt(input);
    throw new ReadError(`${describeValue(input)} is over 2^53-1, where numbers are not exact: write the seed as text`, SEED_EXPECTED);
  }
  if (typeof input === "string" && input.length <= 2 * MAX_LENGTH) {
    const text = input.trim();
    if (/^-\s*\d/.test(text)) throw new ReadError(`${describeValue(input)} is negative`, SEED_EXPECTED);
    if (/^(\d+|0x[0-9a-f]+|0b[01]+)$/i.test(text)) return BigInt(text.toLowerCase());
  }
  throw new ReadError(`${describeValue(input)} is not a seed`, SEED_EXPECTED);
}

function parseQuantity(input: unknown, family: UnitFamily): number {
  const { expected } = family;
  if (typeof input === "number" || typeof input === "bigint") throw new ReadError(`${describeValue(input)} has no unit`, expected);
  if (typeof input !== "string") throw new ReadError(`got ${describeValue(input)}`, expected);
  const text = input.trim().toLowerCase();
  if (text === "") throw new ReadError("got an empty text", expected);
  const shown = quote(input.trim());
  if (text.length > MAX_LENGTH) throw new ReadError(`${shown} is too long`, expected);
  if (/^-\s*\.?\d/.test(text)) throw new ReadError(`${shown} is negative`, expected);
  const match = /^(\d+)(?:\.(\d+))?(.*)$/s.exec(text);
  if (match === null) throw new ReadError(`${shown} is not a number with a unit`, expected);
  const [, whole = "", fraction = "", rest = ""] = match;
  const unit = rest.trim();
  if (unit === "") throw new ReadError(`${shown} has no unit`, expected);
  const factor = Object.hasOwn(family.units, unit) ? family.units[unit] : undefined;
  if (factor === undefined) throw new ReadError(`${shown} does not end in a known unit`, expected);
  const scaled = BigInt(whole + fraction) * factor;
  const divisor = 10n ** BigInt(fraction.length);
  if (scaled % divisor !== 0n) throw new ReadError(`${shown} is not a whole multiple of ${family.smallest}`, expected);
  const value = scaled / divisor;
  if (value > family.max) throw new ReadError(`${shown} is more than ${family.maxText}`, expected);
  if (value < (family.min ?? 0n)) throw new ReadError(`${shown} is less than ${family.smallest}`, expected);
  return Number(value);
}
