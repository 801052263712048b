import { describe, expect, test } from "vitest";
import { type ConnectOptions, type ConnectPlan, connectTimeoutDecision, planConnect, planFirstUse } from "../../../src/engine/connect.ts";
import { KEY, MS, NO_FAULTS, S } from "./helpers.ts";

function plan(options: Partial<ConnectOptions> = {}): ConnectPlan {
  return planConnect({
    up: NO_FAULTS,
    down: NO_FAULTS,
    timeoutConnectNs: undefined,
    connectionError: undefined,
    key: KEY,
    attempt: 0,
    ...options,
  });
}

const delayed = { up: { ...NO_FAULTS, latencyNs: 30 * MS }, down: { ...NO_FAULTS, latencyNs: 20 * MS } };
const dead = { up: { ...NO_FAULTS, lossPpm: 1_000_000 } };

test("without faults the peer is dialled and its verdict reported at once", () => {
  expect(plan()).toEqual({ dialAfterNs: 0, reportDelayNs: 0, lostSyns: 0, error: undefined, timeoutAtNs: undefined, decisions: [] });
});

test("the SYN takes the uplink's delay, the verdict the downlink's", () => {
  const { dialAfterNs, reportDelayNs, decisions } = plan(delayed);
  expect([dialAfterNs, reportDelayNs]).toEqual([30 * MS, 20 * MS]);
  expect(decisions.map((d) => [d.direction, d.exchange, d.cell, d.fault, d.delayNs])).toEqual([
    [0, -1, 0, "latency", 30 * MS],
    [1, -1, 0, "latency", 20 * MS],
  ]);
});

test("jitter of both directions is drawn per attempt", () => {
  const jitter = { ...NO_FAULTS, jitterNs: 10 * MS };
  const delays = [0, 1, 2].flatMap((attempt) => {
    const { dialAfterNs, reportDelayNs } = plan({ up: jitter, down: jitter, attempt });
    return [dialAfterNs, reportDelayNs];
  });
  expect(new Set(delays).size).toBe(6);
  for (const delay of delays) expect(delay >= 0 && delay <= 10 * MS).toBe(true);
});

describe("SYN loss", () => {
  const offsets = { linux: [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67], rfc6298: [0, 1, 3, 7, 15, 31, 63] };

  test.each(["linux", "rfc6298"] as const)("costs the retransmission times of %s", (profile) => {
    const seen = new Map<number, number>();
    const lossy = { ...NO_FAULTS, lossPpm: 600_000 };
    for (let attempt = 0; attempt < 3000; attempt++) {
      const p = plan({ up: lossy, attempt, profile });
      if (p.error === undefined) seen.set(p.lostSyns, p.dialAfterNs / S);
    }
    expect([...seen].sort((a, b) => a[0] - b[0])).toEqual(offsets[profile].map((s, i) => [i, s]));
  });

  test.each([
    ["linux", 131],
    ["rfc6298", 127],
  ] as const)("of 100 %% dials nothing and fails as %s does, after %i s", (profile, seconds) => {
    for (const faults of [dead, { down: dead.up }]) {
      const p = plan({ ...faults, profile });
      expect(p.dialAfterNs).toBe(Infinity);
      expect(p.error).toEqual({ code: "ETIMEDOUT", atNs: seconds * S, fault: "packet_loss" });
      expect(p.decisions).toHaveLength(1);
      expect(p.decisions[0]).toMatchObject({ fault: "packet_loss", code: "ETIMEDOUT", delayNs: seconds * S });
    }
  });

  test("a transmission survives with (1 − p_up)(1 − p_down)", () => {
    const count = 100_000;
    let first = 0;
    for (let attempt = 0; attempt < count; attempt++) {
      if (plan({ up: { ...NO_FAULTS, lossPpm: 200_000 }, down: { ...NO_FAULTS, lossPpm: 100_000 }, attempt }).lostSyns === 0) first++;
    }
    const p = 0.8 * 0.9;
    expect(Math.abs(first - count * p)).toBeLessThan(5 * Math.sqrt(count * p * (1 - p)));
  });

  test("says which direction lost the first SYN", () => {
    expect(plan(dead).decisions[0]!.direction).toBe(0);
    expect(plan({ down: dead.up }).decisions[0]!.direction).toBe(1);
  });
});

describe("connection_error", () => {
  test.each([
    ["refused", "ECONNREFUSED"],
    ["reset", "ECONNRESET"],
    ["unreachable", "EHOSTUNREACH"],
  ] as const)("%s gives %s after one round trip, and dials nothing", (kind, code) => {
    const p = plan({ ...delayed, connectionError: { kind, ppm: 1_000_000 } });
    expect(p.error).toEqual({ code, atNs: 50 * MS, fault: "connection_error" });
    expect(p.dialAfterNs).toBe(Infinity);
    expect(p.decisions.at(-1)).toMatchObject({ fault: "connection_error", decision: code, code, exchange: -1 });
  });

  test("is rolled once per attempt", () => {
    const count = 20_000;
    let hits = 0;
    for (let attempt = 0; attempt < count; attempt++) if (plan({ connectionError: { kind: "reset", ppm: 250_000 }, attempt }).error) hits++;
    expect(Math.abs(hits - count / 4)).toBeLessThan(5 * Math.sqrt((count * 3) / 16));
  });

  test("does not get past a dead link", () => {
    expect(plan({ ...dead, connectionError: { kind: "refused", ppm: 1_000_000 } }).error!.code).toBe("ETIMEDOUT");
  });

  test("on an open flow turns refused into reset", () => {
    expect(planFirstUse({ kind: "refused", ppm: 1_000_000 }, KEY)?.code).toBe("ECONNRESET");
    expect(planFirstUse({ kind: "reset", ppm: 1_000_000 }, KEY)?.code).toBe("ECONNRESET");
    expect(planFirstUse({ kind: "unreachable", ppm: 1_000_000 }, KEY, 7)).toMatchObject({
      code: "EHOSTUNREACH",
      decision: { atNs: 7, exchange: 0 },
    });
    expect(planFirstUse({ kind: "refused", ppm: 0 }, KEY)).toBeUndefined();
    expect(planFirstUse(undefined, KEY)).toBeUndefined();
  });
});

describe("timeout.connect", () => {
  test("is left to the relay where the plan leaves room", () => {
    const p = plan({ ...delayed, timeoutConnectNs: 50 * MS });
    expect(p).toMatchObject({ dialAfterNs: 30 * MS, error: undefined, timeoutAtNs: 50 * MS });
    expect(connectTimeoutDecision(2, 90 * MS, 50 * MS)).toMatchObject({ cell: 2, fault: "timeout", code: "ETIMEDOUT", atNs: 90 * MS });
  });

  test.each([
    ["the round trip", delayed],
    ["a dead link", dead],
    ["an injected refusal", { ...delayed, connectionError: { kind: "refused" as const, ppm: 1_000_000 } }],
  ])("that is shorter than %s fails at exactly that time", (_name, faults) => {
    const p = plan({ ...faults, timeoutConnectNs: 20 * MS });
    expect(p.error).toEqual({ code: "ETIMEDOUT", atNs: 20 * MS, fault: "timeout" });
    expect(p.dialAfterNs).toBe(Infinity);
    expect(p.decisions.filter((d) => d.fault === "timeout")).toHaveLength(1);
  });

  test("longer than the plan changes nothing", () => {
    const p = plan({ ...delayed, timeoutConnectNs: S, connectionError: { kind: "refused", ppm: 1_000_000 } });
    expect(p.error!.code).toBe("ECONNREFUSED");
  });
});
