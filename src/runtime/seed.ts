/** The seed of a run: `install({ seed })`, else FAULTCORE_SEED, else a random one. */
import { randomBytes } from "node:crypto";
import { FaultcoreError } from "../errors.ts";
import { parseSeed } from "../internal/units.ts";

/** Reads a seed as policies do. Throws `ERR_FAULTCORE_INVALID_ARGUMENT` that names `where`. */
export function readSeed(value: unknown, where: string): bigint {
  try {
    return parseSeed(value);
  } catch (cause) {
    throw new FaultcoreError(
      "ERR_FAULTCORE_INVALID_ARGUMENT",
      `Invalid ${where}: ${cause instanceof Error ? cause.message : String(cause)}.`,
      { path: where, expected: "an integer from 0 to 2^64-1: decimal, 0x… or 0b…", cause },
    );
  }
}

export function seedFromEnvironment(): bigint | undefined {
  const text = process.env["FAULTCORE_SEED"];
  return text === undefined || text === "" ? undefined : readSeed(text, "FAULTCORE_SEED");
}

/** 48 random bits: enough to never repeat, and short enough to copy by hand. */
export function randomSeed(): bigint {
  return BigInt(`0x${randomBytes(6).toString("hex")}`);
}
