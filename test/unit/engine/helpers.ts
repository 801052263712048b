/** Shared by the engine's tests: everything runs in virtual time. */
import { DirectionEngine, type DirectionOptions } from "../../../src/engine/direction.ts";
import type { Decision, DirectionFaults, DrawKey, MutationFault } from "../../../src/engine/types.ts";

export const MS = 1e6;
export const S = 1e9;
export const MSS = 1460;

export const NO_FAULTS: DirectionFaults = {
  latencyNs: 0,
  jitterNs: 0,
  lossPpm: 0,
  burst: 1,
  rateBps: Infinity,
  correlatedLoss: undefined,
  congestion: "none",
  duplicate: undefined,
  reorder: undefined,
};
export const KEY: DrawKey = { seed: 1n, flowHash: 0x1234_5678_9abc_def0n };

export interface Release {
  readonly atNs: number;
  readonly bytes: number;
}

export interface Traced {
  readonly engine: DirectionEngine;
  readonly log: Decision[];
}

export function traced(faults: Partial<DirectionFaults>, options: Partial<DirectionOptions> = {}): Traced {
  const log: Decision[] = [];
  const engine = new DirectionEngine({
    direction: 0,
    faults: { ...NO_FAULTS, ...faults },
    key: KEY,
    rttNs: 2 * (faults.latencyNs ?? 0) + (faults.jitterNs ?? 0) / 2,
    onDecision: (decision) => void log.push(decision),
    ...options,
  });
  return { engine, log };
}

/** Advances along `nextAtNs` up to `untilNs`. */
export function runTo(engine: DirectionEngine, untilNs: number, out: Release[] = []): Release[] {
  for (let atNs = engine.nextAtNs(); atNs <= untilNs && atNs < Infinity; atNs = engine.nextAtNs()) {
    const bytes = engine.advance(atNs);
    if (bytes > 0) out.push({ atNs, bytes });
    if (engine.failure() !== undefined) break;
  }
  return out;
}

export function drain(engine: DirectionEngine): Release[] {
  return runTo(engine, Number.MAX_VALUE);
}

export const sum = (releases: readonly Release[]): number => releases.reduce((total, release) => total + release.bytes, 0);

/** What must replay: fault, decision and position, without times. */
export function verdicts(log: readonly Decision[]): string[] {
  return log
    .map((d) => {
      const drawn = d.fault === "jitter" ? ` ${d.delayNs}` : "";
      return `${d.direction}:${d.exchange}.${d.cell}.${d.split} ${d.fault} ${d.decision}${drawn}`;
    })
    .sort();
}

/** A mutation that every packet gets, and whose type the test chooses. */
export const NO_MUTATION: MutationFault = {
  type: "truncate",
  ppm: 1_000_000,
  uplink: true,
  downlink: true,
  truncateBytes: 0,
  corruptCount: 0,
  corruptSeed: undefined,
  injectPosition: 0,
  injectData: "",
  replaceFind: "",
  replaceWith: "",
  swapPos1: 0,
  swapPos2: 0,
  minBytes: 0,
  maxBytes: Infinity,
  everyNPackets: 1,
  dryRun: false,
  maxBufferBytes: 65_536,
};

export const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
export const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
