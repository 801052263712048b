/** The window of a virtual sender, step by step. What it does to throughput is in throughput.test.ts. */
import { describe, expect, test } from "vitest";
import type { Position } from "../../../src/engine/draw.ts";
import type { LossModel } from "../../../src/engine/faults/loss.ts";
import { Link } from "../../../src/engine/faults/rate.ts";
import { Cubic, cubeRoot } from "../../../src/engine/models/cubic.ts";
import { Reno } from "../../../src/engine/models/reno.ts";
import { TcpSender } from "../../../src/engine/models/tcp-recovery.ts";
import type { GrowingWindow } from "../../../src/engine/models/window-growth.ts";
import type { Congestion } from "../../../src/engine/types.ts";
import { drain, MS, MSS, NO_FAULTS, type Release, runTo, S, sum, traced } from "./helpers.ts";

const RTT = 100 * MS;

/** Loses the first transmissions of the cells that are given. */
const losing = (cells: readonly number[]): LossModel => ({
  lost: (at: Position) => cells.includes(at.cell),
  lostAgain: () => false,
  certain: () => false,
  cause: "packet_loss",
});

/** When the packets of one message arrive: how many in each round trip, counted from the first arrival. */
function rounds(congestion: Congestion, packets: number, lost: readonly number[] = []): number[] {
  const faults = { ...NO_FAULTS, latencyNs: RTT / 2, congestion };
  const sender = new TcpSender({ faults, loss: losing(lost), link: new Link(Infinity), rttNs: RTT, onDecision: undefined });
  for (let cell = 0; cell < packets; cell++) sender.add(MSS, 0, { direction: 0, exchange: 0, cell, split: 0 }, true, faults.latencyNs);
  const counts: number[] = [];
  for (let atNs = sender.nextAtNs(); atNs < Infinity; atNs = sender.nextAtNs()) {
    const round = Math.floor((atNs - RTT / 2) / RTT + 1e-9);
    while (counts.length <= round) counts.push(0);
    counts[round]! += sender.advance(atNs) / MSS;
  }
  return counts;
}

describe("slow start", () => {
  test.each(["reno", "cubic"] as const)("of %s begins with ten packets and doubles", (congestion) => {
    expect(rounds(congestion, 310)).toEqual([10, 20, 40, 80, 160]);
  });

  test("does not exist without a window", () => {
    expect(rounds("none", 310)).toEqual([310]);
  });

  test("works without any loss in the policy, too", () => {
    const { engine } = traced({ latencyNs: 50 * MS, congestion: "reno" });
    engine.push(30 * MSS, 0);
    expect(drain(engine)).toEqual([
      { atNs: 50 * MS, bytes: 10 * MSS },
      { atNs: 150 * MS, bytes: 20 * MSS },
    ]);
  });
});

describe("a loss", () => {
  // The third round trip carries packets 30 to 69.
  test("halves Reno's window once, and it grows by one packet a round trip then", () => {
    const arrived = rounds("reno", 600, [65, 66, 67]);
    const steady = arrived.slice(5, 9);
    for (let i = 1; i < steady.length; i++) expect(steady[i]! - steady[i - 1]!).toBe(1);
    expect(sum(arrived.map((bytes) => ({ atNs: 0, bytes })))).toBe(600);
  });

  test("takes three tenths of CUBIC's window", () => {
    expect(new Cubic().reduced(100)).toBe(70);
    expect(new Reno().reduced(100)).toBe(50);
    expect(new Cubic().reduced(3)).toBe(2);
    expect(new Reno().reduced(3)).toBe(2);
  });

  test("that needs the timer begins again with one packet", () => {
    // All of the second flight is lost, and the probe of its last packet: nothing but the timer is left.
    const faults = { ...NO_FAULTS, latencyNs: RTT / 2, congestion: "reno" as const };
    const loss: LossModel = {
      ...losing([]),
      lost: (at) => at.cell >= 10 && at.cell < 30,
      lostAgain: (at, attempt) => at.cell === 29 && attempt < 2,
    };
    const sender = new TcpSender({ faults, loss, link: new Link(Infinity), rttNs: RTT, onDecision: undefined });
    for (let cell = 0; cell < 30; cell++) sender.add(MSS, 0, { direction: 0, exchange: 0, cell, split: 0 }, true, faults.latencyNs);
    const arrivals: number[] = [];
    for (let atNs = sender.nextAtNs(); atNs < Infinity; atNs = sender.nextAtNs()) arrivals.push(sender.advance(atNs) / MSS);
    expect(arrivals.filter((count) => count > 0).slice(0, 4)).toEqual([10, 1, 2, 4]);
  });
});

describe("CUBIC's curve", () => {
  const window = (cwnd: number): GrowingWindow => ({ cwnd, ssthresh: cwnd, credit: 0 });

  /** The window after `seconds` on a path of 100 ms, with all of it acknowledged once per round trip. */
  function after(cubic: Cubic, start: number, seconds: number, rttNs: number = RTT): number {
    const grown = window(start);
    for (let nowNs = 0; nowNs <= seconds * S; nowNs += rttNs) cubic.grow(grown, grown.cwnd, nowNs);
    return grown.cwnd;
  }

  test("comes back to the window of the loss after K = ∛(W·(1−β)/C), and is flat there", () => {
    const cubic = new Cubic();
    const start = cubic.reduced(1000);
    const k = Math.cbrt((1000 * 0.3) / 0.4);
    expect(start).toBe(700);
    // A tenth of a second before and after K, C·t³ is less than one packet.
    expect(after(cubic, start, k)).toBeGreaterThan(990);
    expect(after(cubic, start, k)).toBeLessThanOrEqual(1001);
  });

  test("W(t) = C·(t − K)³ + W", () => {
    for (const seconds of [3, 6, 12, 15]) {
      const cubic = new Cubic();
      const start = cubic.reduced(1000);
      const expected = 0.4 * (seconds - Math.cbrt(750)) ** 3 + 1000;
      // The window follows the curve within a round trip of it.
      expect(Math.abs(after(cubic, start, seconds) - expected)).toBeLessThan(0.03 * expected);
    }
  });

  test("is never below what Reno with the same factor would do: α = 3(1−β)/(1+β) a round trip", () => {
    // A window of 20 at 10 ms: the curve is far below Reno.
    const cubic = new Cubic();
    const grown = after(cubic, cubic.reduced(20), 0.5, 10 * MS);
    const alpha = (3 * 0.3) / 1.7;
    expect(Math.abs(grown - (14 + 50 * alpha))).toBeLessThanOrEqual(3);
  });

  test("leaves room when a window did not reach the former one", () => {
    const cubic = new Cubic();
    cubic.reduced(1000);
    const start = cubic.reduced(800);
    // Fast convergence: flat at 0.85 · 800 = 680, not at 800.
    const k = Math.cbrt((680 - start) / 0.4);
    expect(start).toBe(560);
    expect(Math.abs(after(cubic, start, k) - 680)).toBeLessThanOrEqual(5);
  });

  test.each([0, 0.001, 1, 27, 750, 1e9])("has a cube root of %f", (value) => {
    expect(Math.abs(cubeRoot(value) - Math.cbrt(value))).toBeLessThanOrEqual(1e-9 * Math.max(1, Math.cbrt(value)));
  });
});

describe("an idle sender", () => {
  const flight = (pauseNs: number): number => {
    const { engine } = traced({ latencyNs: 50 * MS, congestion: "reno" });
    engine.push(310 * MSS, 0);
    const releases: Release[] = [];
    runTo(engine, 10 * S, releases);
    const lastNs = releases.at(-1)!.atNs;
    engine.push(500 * MSS, lastNs + pauseNs);
    return drain(engine)[0]!.bytes / MSS;
  };

  test("keeps its window for an RTO, then loses half of it for each, down to ten packets", () => {
    // Acknowledgements come 50 ms after the last arrival, and the RTO is 300 ms at most by then.
    const full = flight(100 * MS);
    expect(full).toBeGreaterThan(310);
    expect(flight(400 * MS)).toBe(Math.floor(full / 2));
    expect(flight(60 * S)).toBe(10);
  });

  test("costs nothing: nothing is pending until it sends again", () => {
    const { engine } = traced({ latencyNs: 50 * MS, congestion: "cubic", lossPpm: 10_000 });
    engine.push(50 * MSS, 0);
    drain(engine);
    expect(engine.nextAtNs()).toBe(Infinity);
  });
});

test("a window that is not used does not grow", () => {
  const { engine } = traced({ latencyNs: 50 * MS, congestion: "reno" });
  for (let i = 0; i < 100; i++) {
    engine.push(2 * MSS, i * 200 * MS);
    runTo(engine, (i + 1) * 200 * MS);
    engine.peerReleased((i + 1) * 200 * MS - 1);
  }
  engine.push(100 * MSS, 20 * S);
  expect(drain(engine)[0]!.bytes).toBe(10 * MSS);
});

test("what waits for the window is woken by acknowledgements, also the delayed one", () => {
  const { engine } = traced({ latencyNs: 50 * MS, congestion: "reno" });
  engine.push(11 * MSS, 0);
  const releases: Release[] = [];
  runTo(engine, 50 * MS, releases);
  expect(releases).toEqual([{ atNs: 50 * MS, bytes: 10 * MSS }]);
  // The first acknowledgement, of two packets, is back one round trip after they were sent.
  expect(engine.nextAtNs()).toBe(100 * MS);
  runTo(engine, S, releases);
  expect(releases.at(-1)).toEqual({ atNs: 150 * MS, bytes: MSS });
});

test("with a rate, the link queues what the window allows, and the round trip grows with the queue", () => {
  // 10 packets take 116.8 ms at 1 Mbit/s, and the first acknowledgement is back after 103.4 ms: the link is never idle.
  const { engine } = traced({ latencyNs: 40 * MS, rateBps: 1e6, congestion: "reno" });
  engine.push(400 * MSS, 0);
  expect(drain(engine).at(-1)!.atNs).toBeCloseTo(40 * MS + 400 * 11.68 * MS, -1);
});
