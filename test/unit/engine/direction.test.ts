import { describe, expect, test } from "vitest";
import { SharedLink } from "../../../src/engine/shared-link.ts";
import { drain, KEY, MS, MSS, type Release, runTo, S, sum, traced, verdicts } from "./helpers.ts";

const positions = (log: readonly { exchange: number; cell: number; split: number }[]): string[] =>
  log.map((d) => `${d.exchange}.${d.cell}.${d.split}`);

describe("positions", () => {
  test("a cell begins at each multiple of the MSS", () => {
    const { engine, log } = traced({ latencyNs: MS });
    engine.push(2 * MSS + 1, 0);
    expect(positions(log)).toEqual(["0.0.0", "0.1.0", "0.2.0"]);
    expect(log.map((d) => d.bytes)).toEqual([MSS, MSS, 1]);
  });

  test("a continuation within 20 ms shares the verdict of its cell", () => {
    const { engine, log } = traced({ latencyNs: MS, jitterNs: 5 * MS });
    engine.push(100, 0);
    engine.push(100, 19 * MS);
    expect(positions(log)).toEqual(["0.0.0", "0.0.0"]);
    const jitterNs = log.find((d) => d.fault === "jitter")!.delayNs;
    expect(drain(engine)).toEqual([
      { atNs: MS + jitterNs, bytes: 100 },
      { atNs: 20 * MS + jitterNs, bytes: 100 },
    ]);
  });

  test("idleness within a cell splits it, and leaves later cells where they are", () => {
    const { engine, log } = traced({ latencyNs: MS });
    engine.push(100, 0);
    engine.push(100, 20 * MS);
    engine.push(MSS, 21 * MS);
    engine.push(MSS, 90 * MS);
    expect(positions(log)).toEqual(["0.0.0", "0.0.1", "0.1.0", "0.1.1", "0.2.0"]);
  });

  test("idleness between cells splits nothing", () => {
    const { engine, log } = traced({ latencyNs: MS });
    engine.push(MSS, 0);
    engine.push(MSS, S);
    expect(positions(log)).toEqual(["0.0.0", "0.1.0"]);
  });

  test("time during which the relay did not read is not idleness", () => {
    const { engine, log } = traced({ latencyNs: MS });
    engine.push(100, 0);
    engine.resumed(500 * MS);
    engine.push(100, 501 * MS);
    expect(positions(log)).toEqual(["0.0.0"]);
  });

  test("an exchange begins when the sender starts after it was given bytes of the other direction", () => {
    const { engine, log } = traced({ latencyNs: MS });
    engine.peerReleased(0);
    engine.push(100, 0);
    engine.peerReleased(10 * MS);
    engine.peerReleased(11 * MS);
    engine.push(2 * MSS, 12 * MS);
    expect(positions(log)).toEqual(["0.0.0", "1.0.0", "1.1.0"]);
  });
});

describe("latency", () => {
  test("shifts everything by the same time, and an unrecorded stream needs one entry per push", () => {
    const { engine } = traced({ latencyNs: 50 * MS }, { onDecision: undefined });
    engine.push(1_000_000, 0);
    engine.push(500_000, MS);
    expect(engine.entries()).toBe(2);
    expect(engine.advance(50 * MS - 1)).toBe(0);
    expect(engine.advance(50 * MS)).toBe(1_000_000);
    expect(engine.nextAtNs()).toBe(51 * MS);
    expect(engine.heldBytes()).toBe(500_000);
    expect(engine.advance(60 * MS)).toBe(500_000);
    expect(engine.nextAtNs()).toBe(Infinity);
  });

  test("without any fault bytes may pass at once", () => {
    const { engine, log } = traced({});
    engine.push(10, 5);
    expect(engine.nextAtNs()).toBe(5);
    expect(engine.advance(5)).toBe(10);
    expect(log).toEqual([]);
  });
});

describe("jitter", () => {
  test("is uniform in [0, jitter] and reaches both ends", () => {
    const { engine, log } = traced({ jitterNs: 9 });
    engine.push(100_000 * MSS, 0);
    const counts = Array.from({ length: 10 }, () => 0);
    for (const d of log) counts[d.delayNs]!++;
    const chi2 = counts.reduce((total, n) => total + (n - 10_000) ** 2 / 10_000, 0);
    // 9 degrees of freedom; the wrong model [0, jitter) or a rounding one is off by thousands.
    expect(chi2).toBeLessThan(9 + 6 * Math.sqrt(18));
  });

  test("keeps the order of a TCP flow", () => {
    const { engine, log } = traced({ latencyNs: 10 * MS, jitterNs: 40 * MS });
    const arrivals = Array.from({ length: 200 }, (_, i) => i * MS);
    for (const atNs of arrivals) engine.push(MSS, atNs);
    const jitters = log.filter((d) => d.fault === "jitter").map((d) => d.delayNs);
    let lastNs = 0;
    const expected = arrivals.map((atNs, i) => (lastNs = Math.max(lastNs, atNs + 10 * MS + jitters[i]!)));
    const actual = drain(engine).flatMap((r) => Array.from({ length: r.bytes / MSS }, () => r.atNs));
    expect(actual).toEqual(expected);
  });
});

describe("rate", () => {
  test("a chunk leaves as packets, spaced by their serialisation time, and propagates after that", () => {
    const { engine } = traced({ rateBps: 11.68e6, latencyNs: 10 * MS });
    engine.push(3 * MSS + 730, 0);
    expect(drain(engine)).toEqual([
      { atNs: 11 * MS, bytes: MSS },
      { atNs: 12 * MS, bytes: MSS },
      { atNs: 13 * MS, bytes: MSS },
      { atNs: 13.5 * MS, bytes: 730 },
    ]);
  });

  test.each([56_000, 1e6, 123_456_789, 10e9])("of %i bit/s is kept within 0.1 %% by any mix of chunks", (rateBps) => {
    const { engine } = traced({ rateBps, latencyNs: 5 * MS }, { onDecision: undefined });
    const startNs = 1e15;
    let pushed = 0;
    for (let i = 0; pushed < 5_000_000; i++) {
      const bytes = 1 + ((i * 7919) % 65_536);
      engine.push(bytes, startNs);
      pushed += bytes;
    }
    const releases = drain(engine);
    const tookNs = releases.at(-1)!.atNs - startNs - 5 * MS;
    expect(sum(releases)).toBe(pushed);
    expect(Math.abs(tookNs / ((pushed * 8 * S) / rateBps) - 1)).toBeLessThan(1e-3);
  });

  test("an idle link saves nothing up for a burst", () => {
    const { engine } = traced({ rateBps: 5.84e6 });
    engine.push(730, 0);
    engine.push(730, 10 * S);
    expect(drain(engine).map((r) => r.atNs)).toEqual([MS, 10 * S + MS]);
  });

  test("late calls lose nothing", () => {
    const { engine } = traced({ rateBps: 8e6 });
    engine.push(100_000, 0);
    expect(engine.advance(60 * MS)).toBe(59_860);
    expect(engine.advance(100 * MS)).toBe(40_140);
  });

  test("may be shared: two flows on one link get its rate together", () => {
    const link = new SharedLink(5.84e6);
    const a = traced({}, { link }).engine;
    const b = traced({}, { link }).engine;
    a.push(730, 0);
    b.push(730, 0);
    a.push(730, 0);
    expect(drain(a).map((r) => r.atNs)).toEqual([MS, 3 * MS]);
    expect(drain(b).map((r) => r.atNs)).toEqual([2 * MS]);
  });
});

/** How much more jitter the end marker has than the packet before it. */
function endJitterDifferenceNs(idleNs: number): number {
  const { engine, log } = traced({ jitterNs: 7 * MS });
  engine.push(MSS, 0);
  engine.end(idleNs);
  let endedNs = 0;
  while (!engine.ended()) {
    endedNs = engine.nextAtNs();
    engine.advance(endedNs);
  }
  return endedNs - idleNs - log[0]!.delayNs;
}

describe("the end marker", () => {
  test("comes after the last byte, takes latency and costs no bytes", () => {
    const { engine } = traced({ rateBps: 8e6, latencyNs: 10 * MS });
    engine.push(1000, 0);
    engine.end(0);
    expect(engine.advance(11 * MS - 1)).toBe(0);
    expect(engine.ended()).toBe(false);
    expect(engine.advance(11 * MS)).toBe(1000);
    expect(engine.ended()).toBe(true);
    expect(engine.nextAtNs()).toBe(Infinity);
  });

  test.each([0, 100_000])("needs no byte before it (loss %i ppm)", (lossPpm) => {
    const { engine } = traced({ latencyNs: 10 * MS, lossPpm });
    engine.end(5 * MS);
    expect(engine.nextAtNs()).toBe(15 * MS);
    engine.advance(15 * MS);
    expect(engine.ended()).toBe(true);
  });

  test("rides on the last packet, or has jitter of its own after idleness", () => {
    expect(endJitterDifferenceNs(0)).toBe(0);
    expect(endJitterDifferenceNs(20 * MS)).not.toBe(0);
  });

  test("nothing may be pushed behind it", () => {
    const { engine } = traced({});
    engine.end(0);
    expect(() => engine.push(1, 0)).toThrow(/after end/);
    expect(() => engine.end(0)).toThrow(/after end/);
  });
});

describe("100 % loss", () => {
  test("holds bytes, asks to stop reading, and fails after 924.6 s", () => {
    const { engine, log } = traced({ lossPpm: 1_000_000, latencyNs: MS });
    expect(engine.blocked()).toBe(false);
    engine.push(MSS + 1, 5 * S);
    expect(engine.blocked()).toBe(true);
    expect(engine.heldBytes()).toBe(MSS + 1);
    expect(verdicts(log)).toEqual([
      "0:0.0.0 latency delay",
      "0:0.0.0 packet_loss held",
      "0:0.1.0 latency delay",
      "0:0.1.0 packet_loss held",
    ]);
    expect(engine.nextAtNs()).toBe(929.6 * S);
    expect(engine.advance(929.6 * S - 1)).toBe(0);
    expect(engine.failure()).toBeUndefined();
    expect(engine.advance(929.6 * S)).toBe(0);
    expect(engine.failure()).toEqual({ atNs: 929.6 * S, code: "ETIMEDOUT" });
    expect(engine.nextAtNs()).toBe(Infinity);
  });

  test("is over as soon as the scope ends: everything comes at once, then the end", () => {
    const { engine } = traced({ lossPpm: 1_000_000, latencyNs: MS });
    engine.push(5000, 0);
    engine.end(MS);
    engine.detach(2 * S);
    expect(engine.blocked()).toBe(false);
    expect(engine.nextAtNs()).toBe(2 * S);
    expect(engine.advance(2 * S)).toBe(5000);
    expect(engine.ended()).toBe(true);
    expect(engine.heldBytes()).toBe(0);
    expect(engine.nextAtNs()).toBe(Infinity);
  });
});

function recoveryReleases(detach: boolean): Release[] {
  const { engine } = traced({ latencyNs: 50 * MS, lossPpm: 300_000 });
  engine.push(30 * MSS, 0);
  if (detach) engine.detach(MS);
  return drain(engine);
}

describe("detach", () => {
  test("leaves decided packets their times", () => {
    const { engine } = traced({ latencyNs: 50 * MS, rateBps: 11.68e6 });
    engine.push(3 * MSS, 0);
    engine.detach(10 * MS);
    expect(() => engine.push(1, 10 * MS)).toThrow(/detach/);
    expect(drain(engine).map((r) => r.atNs / MS)).toEqual([51, 52, 53]);
  });

  test("leaves packets in recovery theirs", () => {
    expect(recoveryReleases(true)).toEqual(recoveryReleases(false));
  });
});

test("lost packets are recorded, and their recovery with what it cost", () => {
  const { engine, log } = traced({ latencyNs: 50 * MS, lossPpm: 200_000 });
  engine.push(40 * MSS, 0);
  const releases = drain(engine);
  const lost = log.filter((d) => d.decision.startsWith("lost"));
  const recovered = log.filter((d) => d.decision === "recovered");
  expect(lost.length).toBeGreaterThan(2);
  expect(new Set(recovered.map((d) => d.cell))).toEqual(new Set(lost.map((d) => d.cell)));
  // Head of line: the last byte waits for the slowest recovery.
  expect(releases.at(-1)!.atNs).toBe(50 * MS + Math.max(...recovered.map((d) => d.delayNs)));
});

/** A flow in which, of three requests, only the one of `exchange` is lost, once. */
function flowHashLosing(exchange: number): bigint {
  for (let flowHash = 0n; flowHash < 1000n; flowHash++) {
    const { engine, log } = traced({ lossPpm: 300_000 }, { key: { ...KEY, flowHash } });
    for (let i = 0; i < 3; i++) {
      engine.peerReleased(i);
      engine.push(100, i);
    }
    if (log.length === 1 && log[0]!.decision === "lost x1" && log[0]!.exchange === exchange) return flowHash;
  }
  throw new Error("none of 1000 flows");
}

test("a lost request is released after the retransmission timeout, and the acknowledgement rides on the response", () => {
  const key = { ...KEY, flowHash: flowHashLosing(1) };
  const { engine } = traced({ latencyNs: 50 * MS, lossPpm: 300_000 }, { key });
  engine.push(100, 0);
  expect(runTo(engine, 50 * MS)).toEqual([{ atNs: 50 * MS, bytes: 100 }]);
  // The response comes back before the delayed acknowledgement would: request 1 is a lone packet, not the tail of a flight.
  engine.peerReleased(100 * MS);
  engine.push(100, 110 * MS);
  expect(drain(engine)).toEqual([{ atNs: 110 * MS + 50 * MS + 300 * MS, bytes: 100 }]);
});
