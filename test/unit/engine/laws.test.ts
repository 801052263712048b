/** Laws that hold for every conversation and every mix of faults. On failure fast-check prints the seed and the path to run it again. */
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { DirectionEngine } from "../../../src/engine/direction.ts";
import type { Decision, DirectionFaults } from "../../../src/engine/types.ts";
import { drain, KEY, MS, NO_FAULTS, type Release, runTo, S, sum, traced, verdicts } from "./helpers.ts";

interface Message {
  /** Since the message before. */
  readonly gapNs: number;
  readonly bytes: number;
  /** The other direction delivered something before it. */
  readonly turn: boolean;
}

const faultsArbitrary: fc.Arbitrary<DirectionFaults> = fc.record({
  latencyNs: fc.constantFrom(0, 1 * MS, 50 * MS, 700 * MS),
  jitterNs: fc.constantFrom(0, 1000, 30 * MS, 500 * MS),
  lossPpm: fc.constantFrom(0, 0, 10_000, 100_000, 400_000),
  burst: fc.integer({ min: 1, max: 5 }),
  rateBps: fc.constantFrom(Infinity, Infinity, 20_000, 1e6, 100e6),
  correlatedLoss: fc.constantFrom(undefined, undefined, {
    goodToBadPpm: 50_000,
    badToGoodPpm: 250_000,
    lossGoodPpm: 1000,
    lossBadPpm: 900_000,
  }),
  congestion: fc.constantFrom("none" as const, "none" as const, "reno" as const, "cubic" as const),
  duplicate: fc.constantFrom(undefined, undefined, { ppm: 200_000, maxExtra: 3 }),
  reorder: fc.constantFrom(undefined, undefined, { ppm: 200_000, maxDelayNs: 40 * MS, window: 2, stream: "wait" as const }),
});

const messageArbitrary: fc.Arbitrary<Message> = fc.record({
  gapNs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 19 * MS }), fc.integer({ min: 0, max: 2 * S })),
  bytes: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 30_000 })),
  turn: fc.boolean(),
});

const conversationArbitrary = fc.array(messageArbitrary, { minLength: 1, maxLength: 12 });

interface Run {
  readonly engine: DirectionEngine;
  readonly log: Decision[];
  readonly releases: Release[];
  readonly arrivals: Release[];
  readonly lastNs: number;
}

/** `cut` says how a message of so many bytes is cut into chunks; the chunks arrive at the same moment. */
function converse(faults: DirectionFaults, messages: readonly Message[], cut: (bytes: number) => number[] = (bytes) => [bytes]): Run {
  const { engine, log } = traced(faults);
  const releases: Release[] = [];
  const arrivals: Release[] = [];
  let nowNs = 0;
  for (const { gapNs, bytes, turn } of messages) {
    nowNs += gapNs;
    runTo(engine, nowNs, releases);
    if (turn) engine.peerReleased(nowNs);
    for (const chunk of cut(bytes)) engine.push(chunk, nowNs);
    arrivals.push({ atNs: nowNs, bytes });
  }
  return { engine, log, releases, arrivals, lastNs: nowNs };
}

const RUNS = Number(process.env["FAULTCORE_LAW_RUNS"] ?? 400);

const law = <T extends [unknown, ...unknown[]]>(arbitraries: { [K in keyof T]: fc.Arbitrary<T[K]> }, check: (...values: T) => void): void =>
  fc.assert(fc.property(...arbitraries, check), { numRuns: RUNS, seed: 1 });

/** Bytes that had come out by `atNs`. */
const releasedBy = (releases: readonly Release[], atNs: number): number => sum(releases.filter((r) => r.atNs <= atNs));

const draws = (log: readonly Decision[], fault: Decision["fault"]): string[] =>
  verdicts(log.filter((d) => d.fault === fault && d.decision !== "recovered"));

test("every byte comes out, in order, then the end, and nothing is left behind", () => {
  law([faultsArbitrary, conversationArbitrary], (faults, messages) => {
    const { engine, log, releases, arrivals, lastNs } = converse(faults, messages);
    engine.end(lastNs);
    expect(engine.heldBytes()).toBe(sum(arrivals) - sum(releases));
    runTo(engine, Number.MAX_VALUE, releases);
    expect(sum(releases)).toBe(sum(arrivals));
    expect(engine.ended()).toBe(true);
    expect(engine.heldBytes()).toBe(0);
    expect(engine.failure()).toBeUndefined();
    for (let i = 1; i < releases.length; i++) expect(releases[i]!.atNs).toBeGreaterThanOrEqual(releases[i - 1]!.atNs);
    engine.advance(releases.at(-1)!.atNs + 1000 * S);
    expect(engine.entries()).toBe(0);
    const lost = log.filter((d) => d.decision.startsWith("lost"));
    expect(log.filter((d) => d.decision === "recovered")).toHaveLength(lost.length);
  });
});

test("no byte comes out before it arrived, was serialised and had its latency", () => {
  law([faultsArbitrary, conversationArbitrary], (faults, messages) => {
    const { engine, releases, arrivals } = converse(faults, messages);
    runTo(engine, Number.MAX_VALUE, releases);
    let freeNs = 0;
    const serialised: Release[] = arrivals.map(({ atNs, bytes }) => {
      freeNs = Math.max(freeNs, atNs) + (bytes * 8 * S) / faults.rateBps;
      return { atNs: freeNs, bytes };
    });
    let out = 0;
    for (const { atNs, bytes } of releases) {
      out += bytes;
      // The last byte of a release: whichever message it belongs to had arrived, and its predecessors were serialised.
      let before = 0;
      const owner = serialised.findIndex((message) => (before += message.bytes) >= out);
      const remaining = before - out;
      const leftNs = serialised[owner]!.atNs - (remaining * 8 * S) / faults.rateBps;
      expect(atNs).toBeGreaterThanOrEqual(arrivals[owner]!.atNs + faults.latencyNs);
      // Sums of float64 nanoseconds, in another order than the engine's.
      expect(atNs).toBeGreaterThanOrEqual(leftNs + faults.latencyNs - 1);
    }
  });
});

test("how the kernel cuts chunks changes no decision", () => {
  law([faultsArbitrary, conversationArbitrary, fc.integer({ min: 1, max: 1999 })], (faults, messages, size) => {
    const cut = (bytes: number): number[] => {
      const chunks = Array.from({ length: Math.floor(bytes / size) }, () => size);
      return bytes % size > 0 ? [...chunks, bytes % size] : chunks;
    };
    const whole = converse(faults, messages);
    const pieces = converse(faults, messages, size < 20 ? (bytes) => (bytes > 2000 ? [1, bytes - 1] : cut(bytes)) : cut);
    drain(whole.engine);
    drain(pieces.engine);
    expect(verdicts(pieces.log)).toEqual(verdicts(whole.log));
  });
});

test("without a rate it changes no release either", () => {
  law([faultsArbitrary, conversationArbitrary, fc.integer({ min: 100, max: 1999 })], (faults, messages, first) => {
    const cut = (bytes: number): number[] => (bytes > first ? [first, bytes - first] : [bytes]);
    const whole = converse({ ...faults, rateBps: Infinity }, messages);
    const pieces = converse({ ...faults, rateBps: Infinity }, messages, cut);
    runTo(whole.engine, Number.MAX_VALUE, whole.releases);
    runTo(pieces.engine, Number.MAX_VALUE, pieces.releases);
    for (const { atNs } of [...whole.releases, ...pieces.releases]) {
      expect(releasedBy(pieces.releases, atNs)).toBe(releasedBy(whole.releases, atNs));
    }
  });
});

test("late calls change no release time and no decision", () => {
  law([faultsArbitrary, conversationArbitrary, fc.integer({ min: 1, max: 700 * MS })], (faults, messages, lateNs) => {
    const exact = converse(faults, messages);
    runTo(exact.engine, Number.MAX_VALUE, exact.releases);
    const late = traced(faults);
    let nowNs = 0;
    let out = 0;
    for (const { gapNs, bytes, turn } of messages) {
      nowNs += gapNs;
      if (turn) late.engine.peerReleased(nowNs);
      late.engine.push(bytes, nowNs);
    }
    for (let atNs = nowNs + lateNs; late.engine.heldBytes() > 0; atNs = late.engine.nextAtNs() + lateNs) {
      out += late.engine.advance(atNs);
      expect(out).toBe(releasedBy(exact.releases, atNs));
    }
    expect(verdicts(late.log)).toEqual(verdicts(exact.log));
  });
});

test("turning one fault on changes no other fault's draws", () => {
  law([faultsArbitrary, conversationArbitrary], (faults, messages) => {
    const all = converse(faults, messages).log;
    const jitterOnly = converse({ ...NO_FAULTS, jitterNs: faults.jitterNs }, messages).log;
    expect(draws(all, "jitter")).toEqual(draws(jitterOnly, "jitter"));
    const { lossPpm, burst, correlatedLoss } = faults;
    const lossOnly = converse({ ...NO_FAULTS, lossPpm, burst, correlatedLoss }, messages).log;
    expect(draws(all, "correlated_loss")).toEqual(draws(lossOnly, "correlated_loss"));
    expect(draws(all, "packet_loss")).toEqual(draws(lossOnly, "packet_loss"));
    expect(draws(all, "burst_loss")).toEqual(draws(lossOnly, "burst_loss"));
    for (const [field, fault] of [
      ["duplicate", "packet_duplicate"],
      ["reorder", "packet_reorder"],
    ] as const) {
      expect(draws(all, fault)).toEqual(draws(converse({ ...NO_FAULTS, [field]: faults[field] }, messages).log, fault));
    }
  });
});

test("another flow in between changes nothing", () => {
  law([faultsArbitrary, conversationArbitrary, conversationArbitrary], (faults, mine, others) => {
    const alone = converse(faults, mine);
    runTo(alone.engine, Number.MAX_VALUE, alone.releases);
    const beside = traced(faults);
    const other = traced(faults, { key: { ...KEY, flowHash: 99n } });
    const releases: Release[] = [];
    let nowNs = 0;
    mine.forEach(({ gapNs, bytes, turn }, i) => {
      nowNs += gapNs;
      runTo(beside.engine, nowNs, releases);
      runTo(other.engine, nowNs);
      other.engine.push(others[i % others.length]!.bytes, nowNs);
      if (turn) beside.engine.peerReleased(nowNs);
      beside.engine.push(bytes, nowNs);
    });
    runTo(beside.engine, Number.MAX_VALUE, releases);
    expect(releases).toEqual(alone.releases);
    expect(beside.log).toEqual(alone.log);
  });
});

test("the end of a scope loses nothing and moves nothing that was decided", () => {
  law([faultsArbitrary, conversationArbitrary, fc.integer({ min: 0, max: S })], (faults, messages, laterNs) => {
    const kept = converse(faults, messages);
    const cut = converse(faults, messages);
    cut.engine.detach(cut.lastNs + laterNs);
    runTo(kept.engine, Number.MAX_VALUE, kept.releases);
    runTo(cut.engine, Number.MAX_VALUE, cut.releases);
    expect(cut.releases).toEqual(kept.releases);
    expect(sum(cut.releases)).toBe(sum(cut.arrivals));
  });
});

test("records are bounded by the bytes that are held", () => {
  law([faultsArbitrary, conversationArbitrary], (faults, messages) => {
    const engine = traced({ ...faults, lossPpm: 0, correlatedLoss: undefined, congestion: "none" }).engine;
    let nowNs = 0;
    for (const { gapNs, bytes } of messages) {
      nowNs += gapNs;
      engine.push(bytes, nowNs);
      engine.advance(nowNs);
      // A lane that waits for packets stands behind another one: each has a record.
      expect(engine.entries()).toBeLessThanOrEqual(engine.heldBytes() * (faults.reorder === undefined ? 1 : 2));
    }
  });
});

test("a recording sink changes nothing", () => {
  law([faultsArbitrary, conversationArbitrary], (faults, messages) => {
    const recorded = converse(faults, messages);
    runTo(recorded.engine, Number.MAX_VALUE, recorded.releases);
    const silent = traced(faults, { onDecision: undefined }).engine;
    const releases: Release[] = [];
    let nowNs = 0;
    for (const { gapNs, bytes, turn } of messages) {
      nowNs += gapNs;
      runTo(silent, nowNs, releases);
      if (turn) silent.peerReleased(nowNs);
      silent.push(bytes, nowNs);
    }
    runTo(silent, Number.MAX_VALUE, releases);
    expect(releases).toEqual(recorded.releases);
  });
});
