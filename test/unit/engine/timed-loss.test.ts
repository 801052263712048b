/** Loss that changes with time, as a schedule makes it: each transmission is judged at the moment when it leaves. */
import { describe, expect, test } from "vitest";
import { planConnect } from "../../../src/engine/connect.ts";
import { Draws } from "../../../src/engine/draw.ts";
import { PacketLoss } from "../../../src/engine/faults/packet-loss.ts";
import { drain, KEY, MS, MSS, NO_FAULTS, type Release, runTo, S, sum, traced, verdicts } from "./helpers.ts";

/** A round trip of 100 ms: RTO = 100 + max(200, 4 · 50) = 300 ms. */
const LINK = { latencyNs: 50 * MS, lossPpm: 1_000_000 };
const RTO = 300 * MS;

/** Everything is lost in [from, until). */
const outage = (fromNs: number, untilNs: number) => (nowNs: number) => (nowNs >= fromNs && nowNs < untilNs ? 1 : 0);

describe("an outage is repaired by the first retransmission after it", () => {
  // A lone packet is sent at 0, repeated after RTO (the probe has that place), and from then on at twice the time each.
  test.each([
    [1, 1],
    [RTO - 1, 1],
    [RTO, 1],
    [RTO + 1, 2],
    [2 * RTO + 1, 4],
    [S, 4],
    [5 * S, 32],
    [9.6 * S, 32],
    [60 * S, 256],
    [512 * RTO, 512],
  ])("that lasts %i ns: after %i RTO", (lengthNs, rtos) => {
    const { engine, log } = traced(LINK, { severityAt: outage(0, lengthNs) });
    engine.push(100, 0);
    expect(drain(engine)).toEqual([{ atNs: rtos * RTO + LINK.latencyNs, bytes: 100 }]);
    expect(log.filter((d) => d.fault === "packet_loss").map((d) => [d.decision, d.delayNs])).toEqual([
      ["lost", 0],
      ["recovered", rtos * RTO],
    ]);
  });

  test("with at most 120 s between two of them", () => {
    const { engine } = traced(LINK, { severityAt: outage(0, 500 * S) });
    engine.push(100, 0);
    const [release] = drain(engine);
    // 153.6 s, 307.2 s, 614.4 s without the cap.
    expect(release!.atNs).toBe(512 * RTO + 3 * 120 * S + LINK.latencyNs);
  });

  test("that outlasts the patience of TCP ends the flow", () => {
    const { engine } = traced(LINK, { severityAt: () => 1 });
    engine.push(100, 0);
    expect(drain(engine)).toEqual([]);
    expect(engine.failure()).toEqual({ atNs: 924.6 * S, code: "ETIMEDOUT" });
  });
});

test("an outage stops everything: whole flights, what continues a packet, and the end", () => {
  const { engine } = traced(LINK, { severityAt: outage(10 * MS, 5 * S) });
  const releases: Release[] = [];
  engine.push(100, 0);
  runTo(engine, 15 * MS, releases);
  // Within 20 ms of the first bytes: the same packet, which got through.
  engine.push(100, 15 * MS);
  engine.push(50 * MSS, 16 * MS);
  engine.end(17 * MS);
  runTo(engine, 5 * S, releases);
  // Before the outage the severity is 0: there is no latency either.
  expect(releases).toEqual([{ atNs: 0, bytes: 100 }]);
  expect(engine.ended()).toBe(false);
  runTo(engine, 60 * S, releases);
  expect(sum(releases)).toBe(200 + 50 * MSS);
  expect(engine.ended()).toBe(true);
  expect(releases[1]!.atNs).toBeGreaterThan(5 * S + LINK.latencyNs);
  expect(engine.nextAtNs()).toBe(Infinity);
});

test("the end alone waits for the end of an outage, and is never lost in less", () => {
  const { engine } = traced(LINK, { severityAt: outage(0, 2 * S) });
  engine.end(0);
  drain(engine);
  expect(engine.ended()).toBe(true);
  const lossy = traced({ ...LINK, lossPpm: 990_000 }, { severityAt: () => 1 });
  lossy.engine.end(0);
  expect(lossy.engine.nextAtNs()).toBe(50 * MS);
});

test("the scope's end lifts an outage at once, in order", () => {
  const { engine } = traced(LINK, { severityAt: outage(5 * MS, Infinity) });
  const releases: Release[] = [];
  engine.push(1000, 0);
  engine.push(20 * MSS, 50 * MS);
  runTo(engine, 3 * S, releases);
  engine.detach(3 * S);
  runTo(engine, 3 * S, releases);
  expect(releases).toEqual([
    { atNs: 0, bytes: 1000 },
    { atNs: 3 * S, bytes: 20 * MSS },
  ]);
  expect(drain(engine)).toEqual([]);
  expect(engine.failure()).toBeUndefined();
});

test("the scope's end in between outages leaves a retransmission its time", () => {
  const { engine } = traced(LINK, { severityAt: outage(0, 2 * S) });
  engine.push(100, 0);
  engine.detach(2.1 * S);
  expect(drain(engine)).toEqual([{ atNs: 8 * RTO + LINK.latencyNs, bytes: 100 }]);
});

test("the severity of the moment counts, with the same draws", () => {
  const half = traced({ latencyNs: 20 * MS, lossPpm: 200_000 }, { severityAt: (nowNs) => (nowNs < S ? 0.25 : 1) });
  const fixed = traced({ latencyNs: 20 * MS, lossPpm: 50_000 });
  for (const { engine } of [half, fixed]) {
    engine.push(500 * MSS, 0);
    engine.peerReleased(S / 2);
  }
  const lost = (log: typeof half.log): string[] =>
    verdicts(log.filter((d) => d.decision.startsWith("lost"))).map((text) => text.split(" ")[0]!);
  expect(lost(half.log)).toEqual(lost(fixed.log));
  expect(lost(half.log).length).toBeGreaterThan(10);
  for (const { engine } of [half, fixed]) engine.push(500 * MSS, 2 * S);
  expect(lost(half.log).length).toBeGreaterThan(lost(fixed.log).length + 30);
});

test("at full severity the first transmissions that are lost are those of a policy without a schedule", () => {
  for (const faults of [
    { lossPpm: 100_000, burst: 3 },
    { correlatedLoss: { goodToBadPpm: 50_000, badToGoodPpm: 250_000, lossGoodPpm: 1000, lossBadPpm: 900_000 } },
  ]) {
    const timed = traced({ latencyNs: 20 * MS, ...faults }, { severityAt: () => 1 });
    const fixed = traced({ latencyNs: 20 * MS, ...faults });
    for (const { engine } of [timed, fixed]) {
      engine.push(800 * MSS, 0);
      drain(engine);
    }
    const lost = (log: typeof timed.log): string[] => log.filter((d) => d.decision.startsWith("lost")).map((d) => `${d.cell} ${d.fault}`);
    expect(lost(timed.log)).toEqual(lost(fixed.log));
    expect(lost(timed.log).length).toBeGreaterThan(50);
  }
});

test("a burst is round(1 + (B − 1)·s) packets long, and ends with the schedule", () => {
  const draws = new Draws(KEY);
  const runs = (severity: number): number => {
    const loss = new PacketLoss(draws, 50_000, 9);
    let longest = 0;
    let run = 0;
    for (let cell = 0; cell < 400; cell++) {
      run = loss.lost({ direction: 0, exchange: 0, cell, split: 0 }, severity) ? run + 1 : 0;
      longest = Math.max(longest, run);
    }
    return longest;
  };
  expect(runs(0)).toBe(0);
  expect(runs(0.25)).toBe(3);
  const loss = new PacketLoss(draws, 1_000_000, 100);
  expect(loss.lost({ direction: 0, exchange: 0, cell: 0, split: 0 }, 1)).toBe(true);
  expect(loss.lost({ direction: 0, exchange: 0, cell: 1, split: 0 }, 0)).toBe(false);
});

test("a SYN is judged at its own time", () => {
  const up = { ...NO_FAULTS, lossPpm: 1_000_000 };
  const common = { up, down: NO_FAULTS, timeoutConnectNs: undefined, connectionError: undefined, key: KEY, attempt: 0 };
  expect(planConnect({ ...common, severityAt: outage(0, 2.5 * S) }).dialAfterNs).toBe(3 * S);
  expect(planConnect({ ...common, severityAt: outage(5 * S, Infinity) }).dialAfterNs).toBe(0);
});
