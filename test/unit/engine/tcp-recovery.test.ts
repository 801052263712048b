import { describe, expect, test } from "vitest";
import { Link } from "../../../src/engine/faults/rate.ts";
import { TcpSender } from "../../../src/engine/models/tcp-recovery.ts";
import { TcpTimers } from "../../../src/engine/models/tcp-timers.ts";
import type { Position } from "../../../src/engine/draw.ts";
import type { LossModel } from "../../../src/engine/faults/loss.ts";
import type { Decision } from "../../../src/engine/types.ts";
import { MS, MSS, NO_FAULTS, S } from "./helpers.ts";

/** Loses the first so many transmissions of a packet. */
function losing(failures: (at: Position) => number): LossModel {
  return {
    lost: (at) => failures(at) > 0,
    lostAgain: (at, attempt) => attempt < failures(at),
    certain: () => false,
    cause: "packet_loss",
  };
}

/** Extra delay, in ms, of packet `lost` of a flight of `flight` packets whose first `failures` transmissions fail. */
function extraMs(rttMs: number, flight: number, lost: number, failures: number): number {
  const extra = recoveredMs(rttMs, flight, { [lost]: failures });
  return extra.get(lost)!;
}

function recoveredMs(rttMs: number, flight: number, failures: Record<number, number>, rateBps = Infinity): Map<number, number> {
  const log: Decision[] = [];
  const loss = losing((at) => failures[at.cell] ?? 0);
  const faults = { ...NO_FAULTS, latencyNs: (rttMs / 2) * MS };
  const sender = new TcpSender({ faults, loss, link: new Link(rateBps), rttNs: rttMs * MS, onDecision: (d) => void log.push(d) });
  for (let cell = 0; cell < flight; cell++) sender.add(MSS, 0, { direction: 0, exchange: 0, cell, split: 0 }, true, faults.latencyNs);
  let released = 0;
  while (sender.nextAtNs() < Infinity) released += sender.advance(sender.nextAtNs());
  expect(released).toBe(flight * MSS);
  return new Map(log.filter((d) => d.decision === "recovered").map((d) => [d.cell, d.delayNs / MS]));
}

/** The kernel's timer wheel runs late; link model §1 says how far a measurement may be off. */
function expectNear(actual: number, measured: number): void {
  expect(Math.abs(actual - measured), `${actual} ms against ${measured} ms measured`).toBeLessThanOrEqual(0.1 * measured + 10);
}

describe.each([100, 20])("a packet lost on a path of %i ms round trip", (rtt) => {
  const rto = rtt + 200;
  const near = rtt === 100 ? { fast: 100, early: 130 } : { fast: 20, early: 30 };

  test.each([4, 5, 10])("is rescued after one round trip by three later packets (flight of %i)", (flight) => {
    expect(extraMs(rtt, flight, 0, 1)).toBe(rtt);
    expectNear(extraMs(rtt, flight, 0, 1), near.fast);
  });

  test.each([1, 2])("is rescued after a quarter more by %i later packets", (later) => {
    expect(extraMs(rtt, 3 + later, 2, 1)).toBe(1.25 * rtt);
    expectNear(extraMs(rtt, 3 + later, 2, 1), near.early);
  });

  test("waits for the retransmission timer when the packets before it were acknowledged", () => {
    expect(extraMs(rtt, 3, 2, 1)).toBe(rtt + rto);
    expectNear(extraMs(rtt, 3, 2, 1), rtt === 100 ? 410 : 246);
  });

  test.each([
    [1, rtt === 100 ? 325 : 226],
    [2, rtt === 100 ? 648 : 455],
    [3, rtt === 100 ? 1289 : 906],
    [4, rtt === 100 ? 2524 : 1834],
    [5, rtt === 100 ? 5098 : 3657],
  ])("alone and %i times, waits RTO·2^(k-1)", (failures, measured) => {
    expect(extraMs(rtt, 1, 0, failures)).toBe(rto * 2 ** (failures - 1));
    expectNear(extraMs(rtt, 1, 0, failures), measured);
  });

  test.each([
    [2, rtt === 100 ? 423 : 251],
    [3, rtt === 100 ? 1064 : 722],
    [4, rtt === 100 ? 2310 : 1636],
  ])("%i times with three later packets, waits one round trip and RTO·(2^(k-1)-1)", (failures, measured) => {
    expect(extraMs(rtt, 4, 0, failures)).toBe(rtt + rto * (2 ** (failures - 1) - 1));
    expectNear(extraMs(rtt, 4, 0, failures), measured);
  });

  test("is seen again at once when it is lost within a recovery", () => {
    const extra = recoveredMs(rtt, 10, { 0: 1, 8: 1 });
    expect(extra.get(0)).toBe(rtt);
    expect(extra.get(8)).toBe(rtt);
  });

  test("again is found without a reordering window while a recovery runs", () => {
    const extra = recoveredMs(rtt, 3, { 0: 2, 1: 1 });
    expect(extra.get(1)).toBe(1.25 * rtt);
    expect(extra.get(0)).toBe(2.25 * rtt);
  });

  test("after all of its flight, is found by the probe of the last packet", () => {
    const extra = recoveredMs(rtt, 4, { 0: 1, 1: 1, 2: 1, 3: 1 });
    expect([...extra].sort((a, b) => a[0] - b[0])).toEqual([
      [0, 3 * rtt],
      [1, 3 * rtt],
      [2, 3 * rtt],
      [3, 2 * rtt],
    ]);
  });
});

test("the last of two is rescued by the probe after 2·SRTT where the delayed acknowledgement takes longer", () => {
  expect(extraMs(20, 2, 1, 1)).toBe(40);
  expectNear(extraMs(20, 2, 1, 1), 46);
});

test("the last of two waits RTT + 40 ms + RTO where the delayed acknowledgement of the first comes before the probe", () => {
  // The delayed sample is a round-trip sample like any other: SRTT 105 ms, RTO 305 ms.
  expect(extraMs(100, 2, 1, 1)).toBe(100 + 40 + 305);
  expectNear(extraMs(100, 2, 1, 1), 445);
});

test.each([
  [5, "the third successor has left after three spacings", 100 + 3 * 5],
  [10, "the reordering window is over before the third successor has left", 125],
])("at a spacing of %i ms %s", (spacingMs, _why, retransmitMs) => {
  const extra = recoveredMs(100, 6, { 0: 1 }, (MSS * 8) / (spacingMs / 1e3));
  expect(extra.get(0)).toBeCloseTo(retransmitMs + spacingMs, 6);
});

test("a retransmission does not queue behind seconds of unsent data", () => {
  const extra = recoveredMs(20, 1000, { 0: 1 }, 1e6);
  expect(extra.get(0)!).toBeLessThan(20 + 5 * 11.68);
});

test("a lost retransmission in bulk traffic is found by later data, without a timer", () => {
  const extra = recoveredMs(100, 100, { 0: 2 }, 10e6);
  expect(extra.get(0)!).toBeLessThan(100 + 200 + 10);
});

test("timers follow RFC 6298 with Linux's bounds", () => {
  const timers = new TcpTimers(100 * MS);
  expect(timers.rtoNs()).toBe(300 * MS);
  timers.backoffs = 2;
  expect(timers.rtoNs()).toBe(1200 * MS);
  timers.backoffs = 30;
  expect(timers.rtoNs()).toBe(120 * S);
  timers.backoffs = 0;
  timers.sample(140 * MS);
  expect(timers.srttNs).toBe(105 * MS);
  expect(timers.rtoNs()).toBe(305 * MS);
  expect(new TcpTimers(400 * MS).rtoNs()).toBe(1200 * MS);
});

test("a slow link does not make the sender repeat what it is still sending", () => {
  // 584 ms per packet, far more than the RTO of 300 ms: with nothing lost, the link carries each packet once.
  const link = new Link(20_000);
  const loss = losing(() => 0);
  const sender = new TcpSender({ faults: { ...NO_FAULTS, latencyNs: 50 * MS }, loss, link, rttNs: 100 * MS, onDecision: undefined });
  for (let cell = 0; cell < 20; cell++) sender.add(MSS, 0, { direction: 0, exchange: 0, cell, split: 0 }, true, 50 * MS);
  while (sender.nextAtNs() < Infinity) sender.advance(sender.nextAtNs());
  sender.advance(100 * S);
  expect(link.freeAtNs).toBe(20 * 584 * MS);
  expect(sender.entries).toBe(0);
});

test("backoff is over once the flow makes progress", () => {
  const extras: number[] = [];
  const loss = losing((at) => (at.exchange === 0 ? 4 : 1));
  const faults = { ...NO_FAULTS, latencyNs: 50 * MS };
  const onDecision = (d: Decision): void => void (d.decision === "recovered" && extras.push(d.delayNs / MS));
  const sender = new TcpSender({ faults, loss, link: new Link(Infinity), rttNs: 100 * MS, onDecision });
  for (let exchange = 0; exchange < 2; exchange++) {
    sender.add(100, exchange * 60 * S, { direction: 0, exchange, cell: 0, split: 0 }, true, faults.latencyNs);
    while (sender.nextAtNs() < Infinity) sender.advance(sender.nextAtNs());
  }
  expect(extras).toEqual([2400, 300]);
});

test("TCP gives up after 924.6 s", () => {
  const loss = losing(() => 32);
  const sender = new TcpSender({ faults: NO_FAULTS, loss, link: new Link(Infinity), rttNs: 100 * MS, onDecision: undefined });
  sender.add(100, 5 * MS, { direction: 0, exchange: 0, cell: 0, split: 0 }, true, 0);
  while (sender.nextAtNs() < Infinity) expect(sender.advance(sender.nextAtNs())).toBe(0);
  expect(sender.failure).toEqual({ atNs: 5 * MS + 924.6 * S, code: "ETIMEDOUT" });
});
