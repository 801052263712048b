import { describe, expect, test } from "vitest";
import type { DirectionEngine } from "../../../src/engine/direction.ts";
import { SharedLink } from "../../../src/engine/shared-link.ts";
import { MS, MSS, S, traced } from "./helpers.ts";

/** 10 Mbit/s: 1.168 ms per packet; the queue holds 100 ms. */
const RATE = 10e6;
const PACKET = (MSS * 8 * S) / RATE;

interface Flow {
  readonly engine: DirectionEngine;
  bytes: number;
  lastNs: number;
}

function flows(count: number, link: SharedLink, faults: Parameters<typeof traced>[0] = {}): Flow[] {
  return Array.from({ length: count }, (_, n) => ({
    engine: traced(faults, { link, onDecision: undefined, key: { seed: 1n, flowHash: BigInt(n) } }).engine,
    bytes: 0,
    lastNs: 0,
  }));
}

/** Fires whoever is due, as a relay's clock does, up to `untilNs`; each `lateNs` late. */
function run(all: readonly Flow[], untilNs: number, lateNs = 0): void {
  for (;;) {
    const next = all.reduce((first, flow) => (flow.engine.nextAtNs() < first.engine.nextAtNs() ? flow : first));
    const atNs = next.engine.nextAtNs() + lateNs;
    if (!(atNs <= untilNs)) return;
    for (const flow of all) {
      if (flow.engine.nextAtNs() > atNs) continue;
      const bytes = flow.engine.advance(atNs);
      flow.bytes += bytes;
      if (bytes > 0) flow.lastNs = atNs;
    }
  }
}

describe("flows that share a link", () => {
  test.each([1, 2, 5])("get its rate together, and an equal part each: %i of them, on time and 20 ms late", (count) => {
    for (const lateNs of [0, 20 * MS]) {
      const all = flows(count, new SharedLink(RATE));
      for (const flow of all) flow.engine.push(4_000_000, 0);
      run(all, 2 * S, lateNs);
      const total = all.reduce((sum, flow) => sum + flow.bytes, 0);
      expect(Math.abs(total - (RATE / 8) * 2)).toBeLessThan((RATE / 8) * 2 * 0.01 + (RATE / 8) * (lateNs / S));
      for (const flow of all) expect(Math.abs(flow.bytes - total / count)).toBeLessThan(0.05 * total);
    }
  });

  test("wait for a bulk transfer no longer than the queue is: 100 ms", () => {
    const [bulk, other] = flows(2, new SharedLink(RATE)) as [Flow, Flow];
    bulk.engine.push(4_000_000, 0);
    run([bulk, other], S);
    for (let n = 0; n < 14; n++) {
      const atNs = S + n * 137 * MS;
      run([bulk, other], atNs);
      other.engine.push(500, atNs);
      run([bulk, other], atNs + 120 * MS);
      expect(other.lastNs - atNs).toBeLessThanOrEqual(100 * MS + 3 * PACKET);
      expect(other.lastNs - atNs).toBeGreaterThan(40 * MS);
    }
  });

  test("deliver everything in order, and then the end", () => {
    const all = flows(3, new SharedLink(RATE), { latencyNs: 10 * MS, jitterNs: 5 * MS });
    for (const flow of all) {
      flow.engine.push(300_000, 0);
      flow.engine.end(MS);
    }
    run(all, 60 * S);
    expect(all.map((flow) => [flow.bytes, flow.engine.ended(), flow.engine.entries()])).toEqual(all.map(() => [300_000, true, 0]));
  });

  test("that lose packets share it as well", () => {
    const all = flows(3, new SharedLink(RATE), { latencyNs: 10 * MS, lossPpm: 20_000 });
    for (const flow of all) {
      flow.engine.push(1_000_000, 0);
      flow.engine.end(0);
    }
    run(all, 60 * S);
    expect(all.map((flow) => [flow.bytes, flow.engine.ended()])).toEqual(all.map(() => [1_000_000, true]));
    // 3 MB at 10 Mbit/s take 2.4 s; 2 % are sent again.
    const lastNs = Math.max(...all.map((flow) => flow.lastNs));
    expect(lastNs).toBeGreaterThan(2.4 * S);
    expect(lastNs).toBeLessThan(2.4 * S * 1.15 + S);
  });

  test("with a congestion window keep its bound too", () => {
    const link = new SharedLink(RATE);
    const all = flows(2, link, { latencyNs: 10 * MS, congestion: "cubic" });
    for (const flow of all) flow.engine.push(2_000_000, 0);
    for (let atNs = 0; atNs < 2 * S; atNs += 50 * MS) {
      run(all, atNs);
      expect(link.freeAtNs - atNs).toBeLessThanOrEqual(100 * MS + 2 * PACKET);
    }
    run(all, 60 * S);
    expect(all.map((flow) => flow.bytes)).toEqual([2_000_000, 2_000_000]);
  });

  test("that are over leave it to the others", () => {
    const [gone, other] = flows(2, new SharedLink(RATE)) as [Flow, Flow];
    gone.engine.push(4_000_000, 0);
    gone.engine.abandon();
    other.engine.push(100 * MSS, 0);
    run([other], 60 * S);
    expect(other.lastNs).toBeLessThanOrEqual(100 * MS + 101 * PACKET);
  });
});
