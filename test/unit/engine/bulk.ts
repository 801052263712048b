/** A bulk transfer in virtual time: a program that always has more to send, with no more than a relay's window held. */
import { DirectionEngine } from "../../../src/engine/direction.ts";
import type { DirectionFaults } from "../../../src/engine/types.ts";
import { NO_FAULTS, S } from "./helpers.ts";

const HELD_BYTES = 4 * 1024 * 1024;
const CHUNK_BYTES = 64 * 1024;

export interface Bulk {
  /** Goodput since the start, and since `fromNs`, Mbit/s. */
  readonly mbps: number;
  readonly laterMbps: number;
  /** The most records that the engine kept. */
  readonly entries: number;
}

export function bulk(
  faults: Partial<DirectionFaults>,
  rttNs: number,
  seed: number,
  lengthNs: number = 45 * S,
  fromNs: number = 5 * S,
): Bulk {
  const engine = new DirectionEngine({
    direction: 0,
    faults: { ...NO_FAULTS, latencyNs: rttNs / 2, ...faults },
    key: { seed: BigInt(seed), flowHash: 77n },
    rttNs,
  });
  let released = 0;
  let before = 0;
  let entries = 0;
  const fill = (nowNs: number): void => {
    while (engine.heldBytes() + CHUNK_BYTES <= HELD_BYTES) engine.push(CHUNK_BYTES, nowNs);
  };
  fill(0);
  for (let atNs = engine.nextAtNs(); atNs <= lengthNs; atNs = engine.nextAtNs()) {
    released += engine.advance(atNs);
    if (atNs <= fromNs) before = released;
    fill(atNs);
    entries = Math.max(entries, engine.entries());
  }
  const mbps = (bytes: number, ns: number): number => (bytes * 8 * 1000) / ns;
  return { mbps: mbps(released, lengthNs), laterMbps: mbps(released - before, lengthNs - fromNs), entries };
}

export function meanAndError(values: readonly number[]): { mean: number; error: number } {
  const mean = values.reduce((total, value) => total + value, 0) / values.length;
  const squares = values.reduce((total, value) => total + (value - mean) ** 2, 0);
  return { mean, error: Math.sqrt(squares / (values.length - 1) / values.length) };
}
