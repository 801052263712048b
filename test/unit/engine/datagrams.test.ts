/** Datagrams in virtual time. On failure fast-check prints the seed and the path to run it again. */
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type DatagramOptions, DatagramDirection } from "../../../src/engine/datagrams.ts";
import { Link } from "../../../src/engine/faults/rate.ts";
import { Severity } from "../../../src/engine/faults/schedule.ts";
import type { Decision, DirectionFaults } from "../../../src/engine/types.ts";
import { KEY, MS, NO_FAULTS, S, verdicts } from "./helpers.ts";

interface Arrived {
  readonly n: number;
  readonly copy: number;
  readonly atNs: number;
}

interface Sent {
  readonly gapNs: number;
  readonly bytes: number;
}

interface Run {
  readonly engine: DatagramDirection<number>;
  readonly log: Decision[];
  readonly arrived: Arrived[];
  readonly sentNs: number[];
}

function start(faults: Partial<DirectionFaults>, options: Partial<DatagramOptions> = {}): Run {
  const log: Decision[] = [];
  const engine = new DatagramDirection<number>({
    direction: 0,
    faults: { ...NO_FAULTS, ...faults },
    key: KEY,
    windowBytes: Infinity,
    onDecision: (decision) => void log.push(decision),
    ...options,
  });
  return { engine, log, arrived: [], sentNs: [] };
}

function runTo({ engine, arrived }: Run, untilNs: number): void {
  for (let atNs = engine.nextAtNs(); atNs <= untilNs && atNs < Infinity; atNs = engine.nextAtNs()) {
    for (const { payload, copy } of engine.advance(atNs)) arrived.push({ n: payload, copy, atNs });
  }
}

function send(run: Run, sent: readonly Sent[], startNs = 0): Run {
  let nowNs = startNs;
  for (const [n, { gapNs, bytes }] of sent.entries()) {
    nowNs += gapNs;
    runTo(run, nowNs);
    run.sentNs.push(nowNs);
    run.engine.push(n, bytes, nowNs);
    for (const { payload, copy } of run.engine.advance(nowNs)) run.arrived.push({ n: payload, copy, atNs: nowNs });
  }
  return run;
}

const every = (gapNs: number, count: number, bytes = 100): Sent[] => Array.from({ length: count }, () => ({ gapNs, bytes }));
const order = (run: Run): number[] => run.arrived.map(({ n }) => n);
const finish = (run: Run): Run => {
  runTo(run, Number.MAX_VALUE);
  return run;
};

const faultsArbitrary: fc.Arbitrary<DirectionFaults> = fc.record({
  latencyNs: fc.constantFrom(0, 1 * MS, 50 * MS),
  jitterNs: fc.constantFrom(0, 0, 1000, 30 * MS),
  lossPpm: fc.constantFrom(0, 0, 100_000, 400_000, 1_000_000),
  burst: fc.integer({ min: 1, max: 5 }),
  rateBps: fc.constantFrom(Infinity, Infinity, 20_000, 1e6),
  correlatedLoss: fc.constantFrom(undefined, undefined, {
    goodToBadPpm: 50_000,
    badToGoodPpm: 500_000,
    lossGoodPpm: 0,
    lossBadPpm: 1_000_000,
  }),
  congestion: fc.constant("none" as const),
  duplicate: fc.constantFrom(undefined, { ppm: 300_000, maxExtra: 3 }, { ppm: 1_000_000, maxExtra: 1 }),
  reorder: fc.constantFrom(
    undefined,
    { ppm: 300_000, maxDelayNs: 20 * MS, window: 2, stream: "wait" as const },
    { ppm: 1_000_000, maxDelayNs: 5 * MS, window: 3, stream: "wait" as const },
  ),
});
const sentArbitrary = fc.array(
  fc.record({ gapNs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 30 * MS })), bytes: fc.integer({ min: 0, max: 2000 }) }),
  { minLength: 1, maxLength: 40 },
);
const RUNS = Number(process.env["FAULTCORE_LAW_RUNS"] ?? 400);
const law = <T extends [unknown, ...unknown[]]>(arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> }, check: (...values: T) => void): void =>
  fc.assert(fc.property(...arbitraries, check), { numRuns: RUNS, seed: 1 });

const copiesOf = (log: readonly Decision[]): number =>
  log
    .filter(({ fault }) => fault === "packet_duplicate")
    .reduce((total, { decision }) => total + Number(decision.slice("extra x".length)), 0);
const lostOf = (log: readonly Decision[]): number => log.filter(({ decision }) => decision === "lost" || decision === "queue full").length;

describe("laws", () => {
  test("every datagram is delivered, duplicated or reported lost, and the counts add up", () => {
    law([faultsArbitrary, sentArbitrary, fc.constantFrom(2000, 20_000, Infinity)], (faults, sent, windowBytes) => {
      const run = finish(send(start(faults, { windowBytes }), sent));
      expect(run.arrived).toHaveLength(sent.length + copiesOf(run.log) - lostOf(run.log));
      expect(new Set(run.arrived.map(({ n, copy }) => `${n}.${copy}`)).size).toBe(run.arrived.length);
      expect(run.engine.pending).toBe(0);
      expect(run.engine.queuedBytes).toBe(0);
    });
  });

  test("nothing is early, nothing is held for ever, and without jitter and reordering the order stays", () => {
    law([faultsArbitrary, sentArbitrary], (faults, sent) => {
      const run = finish(send(start(faults), sent));
      const total = sent.reduce((sum, { bytes }) => sum + bytes, 0) * (1 + (faults.duplicate?.maxExtra ?? 0));
      const longestNs = faults.latencyNs + faults.jitterNs + (faults.reorder?.maxDelayNs ?? 0) + (total * 8 * S) / faults.rateBps + 1;
      for (const { n, atNs } of run.arrived) {
        // Sums of float64 nanoseconds.
        expect(atNs).toBeGreaterThanOrEqual(run.sentNs[n]! + faults.latencyNs + (sent[n]!.bytes * 8 * S) / faults.rateBps - 1);
        expect(atNs).toBeLessThanOrEqual(run.sentNs[n]! + longestNs);
      }
      const ordered = faults.jitterNs === 0 && faults.reorder === undefined;
      expect(!ordered || order(run).every((n, place) => place === 0 || n >= order(run)[place - 1]!)).toBe(true);
    });
  });

  test("the same seed makes the same decisions, whenever the datagrams are sent and whenever the clock is late", () => {
    law([faultsArbitrary, sentArbitrary, fc.integer({ min: 0, max: 50 * MS })], (faults, sent, gapNs) => {
      const one = finish(send(start(faults), sent));
      const other = finish(
        send(
          start(faults),
          sent.map(({ bytes }) => ({ gapNs, bytes })),
          7 * S,
        ),
      );
      expect(verdicts(other.log)).toEqual(verdicts(one.log));
    });
  });

  test("what the queue drops changes no other verdict, and turning a fault on changes no other's draws", () => {
    law([faultsArbitrary, sentArbitrary], (faults, sent) => {
      const of = (run: Run, fault: Decision["fault"]): string[] =>
        verdicts(finish(run).log.filter((d) => d.fault === fault && d.decision !== "queue full"));
      const whole = send(start(faults), sent);
      const narrow = send(start(faults, { windowBytes: 3000 }), sent);
      const dropped = new Set(
        finish(narrow)
          .log.filter((d) => d.decision === "queue full")
          .map((d) => `${d.cell}.${d.split}`),
      );
      const kept = finish(whole).log.filter((d) => d.fault === "packet_loss" && !dropped.has(`${d.cell}.${d.split}`));
      expect(of(narrow, "packet_loss")).toEqual(verdicts(kept));
      const plain = send(start({ ...faults, jitterNs: 0, reorder: undefined, rateBps: Infinity }), sent);
      for (const fault of ["packet_loss", "burst_loss", "correlated_loss", "packet_duplicate"] as const) {
        expect(of(plain, fault)).toEqual(of(whole, fault));
      }
    });
  });

  test("after the scope's end everything keeps its time, except what waits to be overtaken, which goes at once, in order", () => {
    law([faultsArbitrary, sentArbitrary], (faults, sent) => {
      const plain = finish(send(start({ ...faults, reorder: undefined }), sent));
      const run = send(start(faults), sent);
      const endNs = run.sentNs.at(-1)!;
      run.engine.detach(endNs);
      for (const { payload, copy } of run.engine.advance(endNs)) run.arrived.push({ n: payload, copy, atNs: endNs });
      finish(run);
      const late = (arrived: readonly Arrived[]): Arrived[] => arrived.filter(({ atNs }) => atNs > endNs);
      expect(late(run.arrived)).toEqual(late(plain.arrived));
      expect(run.arrived).toHaveLength(plain.arrived.length);
    });
  });

  test("what is on its way is bounded by the window, also for empty datagrams", () => {
    const run = send(start({ latencyNs: 10 * S }, { windowBytes: 64 * 1024 }), every(0, 5000, 0));
    expect(run.engine.pending).toBe(512);
    expect(run.log.filter(({ decision }) => decision === "queue full")).toHaveLength(5000 - 512);
    expect(finish(run).arrived).toHaveLength(512);
  });
});

describe("rate", () => {
  test("datagrams leave one after the other, lost and duplicate ones too", () => {
    const run = finish(send(start({ rateBps: 8000, duplicate: { ppm: 1e6, maxExtra: 1 } }), every(0, 3, 100)));
    expect(run.arrived.map(({ n, copy, atNs }) => [n, copy, atNs / MS])).toEqual([
      [0, 0, 100],
      [0, 1, 200],
      [1, 0, 300],
      [1, 1, 400],
      [2, 0, 500],
      [2, 1, 600],
    ]);
    const lossy = finish(send(start({ rateBps: 8000, lossPpm: 500_000 }), every(0, 40, 100)));
    for (const { n, atNs } of lossy.arrived) expect(atNs).toBe((n + 1) * 100 * MS);
    expect(lossy.arrived.length).toBeLessThan(35);
  });

  test("the queue of a slow link drops at its tail, and says so", () => {
    const run = finish(send(start({ rateBps: 8000 }, { windowBytes: 1000 }), every(0, 15, 200)));
    expect(order(run)).toEqual([0, 1, 2, 3, 4]);
    const dropped = run.log.filter(({ decision }) => decision === "queue full");
    expect(dropped.map(({ cell, fault }) => [cell, fault])).toEqual(Array.from({ length: 10 }, (_, n) => [n + 5, "rate"]));
  });

  test("flows that share a link share its time", () => {
    const link = new Link(8000);
    const one = start({ rateBps: 8000 }, { link });
    const two = start({ rateBps: 8000 }, { link });
    send(one, every(0, 1));
    send(two, every(0, 1));
    expect([finish(one), finish(two)].map(({ arrived }) => arrived[0]!.atNs / MS)).toEqual([100, 200]);
  });
});

test("a schedule is asked at each datagram's time", () => {
  const flapping = new Severity({ kind: "flapping", onNs: 100 * MS, offNs: 100 * MS, anchor: "process" }, 0);
  const run = finish(send(start({ lossPpm: 1e6 }, { severity: flapping }), every(50 * MS, 8)));
  // Sent at 50, 100, … 400 ms: on in [0, 100), [200, 300), [400, …).
  expect(order(run)).toEqual([1, 2, 5, 6]);
  const ramp = new Severity({ kind: "ramp", rampNs: 100 * MS, anchor: "process" }, 0);
  const slow = finish(send(start({ latencyNs: 80 * MS, rateBps: 8000 }, { severity: ramp }), every(50 * MS, 1, 10)));
  expect(slow.arrived[0]!.atNs).toBe((50 + 40 + 5) * MS);
});

test("jitter lets datagrams overtake each other, latency alone never does", () => {
  const jittery = finish(send(start({ latencyNs: 5 * MS, jitterNs: 20 * MS }), every(MS, 200)));
  expect(order(jittery)).not.toEqual(order(jittery).toSorted((a, b) => a - b));
  const steady = finish(send(start({ latencyNs: 5 * MS }), every(MS, 200)));
  expect(order(steady)).toEqual(order(steady).toSorted((a, b) => a - b));
});
