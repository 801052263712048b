import { describe, expect, test } from "vitest";
import { planConnect } from "../../../src/engine/connect.ts";
import { Draws } from "../../../src/engine/draw.ts";
import { Severity, severityAt } from "../../../src/engine/faults/schedule.ts";
import type { ScheduleFault } from "../../../src/engine/types.ts";
import { drain, KEY, MS, MSS, NO_FAULTS, runTo, S, sum, traced } from "./helpers.ts";

const ramp: ScheduleFault = { kind: "ramp", rampNs: 10 * S, anchor: "process" };
const spike: ScheduleFault = { kind: "spike", everyNs: 10 * S, durationNs: 2 * S, anchor: "process" };
const flapping: ScheduleFault = { kind: "flapping", onNs: 3 * S, offNs: 2 * S, anchor: "process" };

describe("severity", () => {
  test("of a ramp grows from 0 to 1 and stays there", () => {
    expect([0, 1, 2.5, 10, 1000].map((s) => severityAt(ramp, s * S))).toEqual([0, 0.1, 0.25, 1, 1]);
  });

  test("of a spike is 1 in [k·every, k·every + duration)", () => {
    const times = [0, 2 * S - 1, 2 * S, 10 * S - 1, 10 * S, 12 * S - 1, 12 * S, 70 * S, 72 * S];
    expect(times.map((at) => severityAt(spike, at))).toEqual([1, 1, 0, 0, 1, 1, 0, 1, 0]);
  });

  test("of flapping starts on", () => {
    const times = [0, 3 * S - 1, 3 * S, 5 * S - 1, 5 * S, 8 * S - 1, 8 * S];
    expect(times.map((at) => severityAt(flapping, at))).toEqual([1, 1, 0, 0, 1, 1, 0]);
  });

  test("counts from the anchor, whenever it is asked", () => {
    const severity = new Severity(flapping, 100 * S);
    expect([100, 103, 105, 108].map((s) => severity.at(s * S))).toEqual([1, 0, 1, 0]);
  });

  test("is the share of flows on which a fault acts that has no strength, and a ramp never lets go of one", () => {
    const severity = new Severity(ramp, 0);
    let acting = 0;
    const flows = 4000;
    for (let flow = 0; flow < flows; flow++) {
      const draws = new Draws({ seed: KEY.seed, flowHash: BigInt(flow) });
      const acts = [1, 2.5, 5, 7.5, 10].map((s) => severity.acts(draws, "timeout", s * S));
      expect(acts).toEqual(acts.toSorted((a, b) => Number(a) - Number(b)));
      if (acts[1] === true) acting++;
    }
    // 5 standard errors.
    expect(Math.abs(acting / flows - 0.25)).toBeLessThan(5 * Math.sqrt((0.25 * 0.75) / flows));
  });
});

const at = (schedule: ScheduleFault) => (nowNs: number) => severityAt(schedule, nowNs);

describe("a schedule", () => {
  test("scales latency and jitter with the packet's arrival", () => {
    const { engine, log } = traced({ latencyNs: 100 * MS, jitterNs: 10 * MS }, { severityAt: at(ramp) });
    for (const s of [0, 2.5, 20]) {
      engine.push(100, s * S);
      const [release] = drain(engine);
      const share = Math.min(1, s / 10);
      const jitterNs = log.findLast((d) => d.fault === "jitter")?.delayNs ?? 0;
      expect(release!.atNs - s * S).toBeCloseTo(100 * MS * share + (s === 0 ? 0 : jitterNs), 3);
      expect(jitterNs).toBeLessThanOrEqual(10 * MS * share);
    }
    expect(log.filter((d) => d.fault === "latency").map((d) => d.delayNs)).toEqual([25 * MS, 100 * MS]);
  });

  test("keeps the order when a packet of a calmer time would overtake", () => {
    const { engine } = traced({ latencyNs: 500 * MS }, { severityAt: at(flapping) });
    engine.push(100, 2.9 * S);
    engine.push(100, 3 * S);
    expect(drain(engine)).toEqual([{ atNs: 3.4 * S, bytes: 200 }]);
  });

  test("lets a rate fall from unlimited to its value", () => {
    // 1460 bytes take 2 ms at the full severity.
    const { engine } = traced({ rateBps: 5.84e6 }, { severityAt: at(ramp) });
    const taken = [0, 1, 5, 10, 30].map((s) => {
      engine.push(MSS, s * S);
      return (drain(engine)[0]!.atNs - s * S) / MS;
    });
    expect(taken.map((ms) => Number(ms.toFixed(6)))).toEqual([0, 0.2, 1, 2, 2]);
  });

  test("does not keep the queue of a slow time once the rate is gone", () => {
    const { engine } = traced({ rateBps: 5.84e6 }, { severityAt: at(flapping) });
    // 2000 packets would take 4 s; the slow time has 3.
    engine.push(2000 * MSS, 0);
    const releases = drain(engine);
    expect(sum(releases)).toBe(2000 * MSS);
    expect(releases.at(-1)!.atNs).toBeLessThanOrEqual(3 * S + 2 * MS);
    expect(sum(releases.filter((release) => release.atNs < 3 * S))).toBeGreaterThanOrEqual(1498 * MSS);
  });

  test("begins a new packet where the faults come or go", () => {
    const { engine, log } = traced({ latencyNs: MS }, { severityAt: at(flapping) });
    engine.push(100, 3 * S - MS);
    engine.push(100, 3 * S);
    engine.push(100, 5 * S - MS);
    engine.push(100, 5 * S);
    expect(log.map((d) => `${d.cell}.${d.split}`)).toEqual(["0.0", "0.3"]);
  });

  test("stops reading in an outage only, and releases what it held at the first retransmission behind it", () => {
    const { engine } = traced({ latencyNs: 50 * MS, lossPpm: 1_000_000 }, { severityAt: at(flapping) });
    expect(engine.stalled(S)).toBe(false);
    engine.push(100, S);
    expect(engine.stalled(S)).toBe(true);
    expect(engine.blocked()).toBe(false);
    // RTO 300 ms: sent at 1 (1.3 is the probe), 1.6, 2.2 and 3.4 s. It was pushed with its latency.
    expect(runTo(engine, 3.4 * S)).toEqual([]);
    expect(engine.stalled(3 * S)).toBe(false);
    expect(drain(engine)).toEqual([{ atNs: 3.45 * S, bytes: 100 }]);
  });

  test("governs connects: each SYN, the way, and the error", () => {
    const common = { up: { ...NO_FAULTS, latencyNs: 10 * MS }, down: { ...NO_FAULTS, latencyNs: 30 * MS }, key: KEY, attempt: 0 };
    const plan = (startNs: number, kind?: "refused") =>
      planConnect({
        ...common,
        timeoutConnectNs: undefined,
        connectionError: kind && { kind, ppm: 1_000_000 },
        severityAt: (afterNs) => severityAt(flapping, startNs + afterNs),
      });
    expect(plan(0)).toMatchObject({ dialAfterNs: 10 * MS, reportDelayNs: 30 * MS });
    expect(plan(4 * S)).toMatchObject({ dialAfterNs: 0, reportDelayNs: 0, decisions: [] });
    expect(plan(0, "refused").error).toMatchObject({ code: "ECONNREFUSED", atNs: 40 * MS });
    expect(plan(4 * S, "refused").error).toBeUndefined();
  });
});
