/** When a flow that reached a limit fails, in virtual time. */
import { describe, expect, it } from "vitest";
import { Severity } from "../../../src/engine/faults/schedule.ts";
import type { Decision } from "../../../src/engine/types.ts";
import { DOWNLINK, UPLINK } from "../../../src/engine/types.ts";
import type { DeadlineClock } from "../../../src/internal/deadline-clock.ts";
import { compilePolicy } from "../../../src/policy/compile.ts";
import type { PolicyFields } from "../../../src/policy/fields.ts";
import type { FlowBinding } from "../../../src/relay/binding.ts";
import { FlowLimits } from "../../../src/relay/flow-limits.ts";
import { HandClock } from "./hand-clock.ts";

const MS = 1e6;
const S = 1e9;

function limited(fields: PolicyFields, flowHash = 1n): { limits: FlowLimits; clock: HandClock; ends: string[]; log: Decision[] } {
  const clock = new HandClock();
  const ends: string[] = [];
  const log: Decision[] = [];
  const policy = compilePolicy(fields, "test");
  const limits: FlowLimits = new FlowLimits(
    {
      durationOver: (nowNs) => limits.expire(nowNs),
      endWith: (code) => void ends.push(`${code} at ${clock.nowNs() / MS} ms`),
    },
    clock as unknown as DeadlineClock,
  );
  const binding = {
    policy,
    key: { seed: 7n, flowHash },
    boundAtNs: 0,
    severity: new Severity(policy.faults.schedule, 0),
    record: (decision: Decision) => void log.push(decision),
    measures: { kept: () => {}, late: () => {} },
  };
  limits.govern(binding as unknown as FlowBinding);
  limits.establish();
  return { limits, clock, ends, log };
}

describe("half_open", () => {
  it("reset: the news travels up and back when an uplink byte caused it, and behind the byte when a downlink byte did", () => {
    for (const [direction, atMs] of [
      [UPLINK, 70],
      [DOWNLINK, 50],
    ] as const) {
      const { limits, clock, ends } = limited({ uplink: { latency: "20ms" }, downlink: { latency: "50ms" }, halfOpen: { after: "5b" } });
      expect(limits.admit(direction, 9, 0)).toBe(5);
      limits.drained();
      clock.moveTo(10 * S);
      expect(ends).toEqual([`ECONNRESET at ${atMs} ms`]);
      expect(clock.waiting).toBe(0);
    }
  });

  it("reset: waits for what was let through, however long that takes", () => {
    const { limits, clock, ends } = limited({ halfOpen: { after: "5b" } });
    limits.admit(UPLINK, 9, 0);
    clock.moveTo(3 * S);
    expect(ends).toEqual([]);
    limits.drained();
    clock.moveTo(4 * S);
    expect(ends).toEqual(["ECONNRESET at 3000 ms"]);
  });

  it("silent: fails with ETIMEDOUT 924.6 s after the first byte that nobody acknowledges, and never without one", () => {
    const { limits, clock, ends } = limited({ halfOpen: { after: "5b", error: "silent" } });
    limits.admit(DOWNLINK, 5, 0);
    limits.drained();
    clock.moveTo(5000 * S);
    expect(ends).toEqual([]);
    limits.unacknowledged(clock.nowNs());
    clock.moveTo(5100 * S);
    limits.unacknowledged(clock.nowNs());
    clock.moveTo(9000 * S);
    expect(ends).toEqual(["ETIMEDOUT at 5924600 ms"]);
  });

  it("stays over under another binding", () => {
    const { limits, log } = limited({ halfOpen: { error: "silent" } });
    expect(limits.admit(UPLINK, 3, 0)).toBe(0);
    limits.govern(undefined);
    expect(limits.over).toBe(true);
    expect(limits.admit(DOWNLINK, 3, 0)).toBe(0);
    expect(log.map(({ fault, decision, delayNs }) => [fault, decision, delayNs])).toEqual([["half_open", "silent", Infinity]]);
  });
});

describe("session_budget", () => {
  it("timeout: ETIMEDOUT exactly budget_timeout after the byte that was too much", () => {
    const { limits, clock, ends } = limited({
      latency: "20ms",
      sessionBudget: { maxTx: "5b", action: "timeout", budgetTimeout: "300ms" },
    });
    clock.moveTo(100 * MS);
    expect(limits.admit(UPLINK, 6, clock.nowNs())).toBe(5);
    limits.drained();
    clock.moveTo(S);
    expect(ends).toEqual(["ETIMEDOUT at 400 ms"]);
  });

  it("max_duration: acts by itself when the time is over, and not when the scope has ended before", () => {
    const fields: PolicyFields = { sessionBudget: { maxDuration: "200ms", action: "connection_error" } };
    const first = limited(fields);
    first.clock.moveTo(199 * MS);
    expect(first.limits.over).toBe(false);
    first.clock.moveTo(200 * MS);
    expect(first.limits.over).toBe(true);
    expect(first.log.map(({ decision }) => decision)).toEqual(["max_duration: connection_error"]);
    const second = limited(fields);
    second.limits.govern(undefined);
    second.clock.moveTo(S);
    expect(second.limits.over).toBe(false);
  });

  it("with half_open: whichever limit comes first decides", () => {
    const both = (after: string): string[] => {
      const { limits, log } = limited({ halfOpen: { after }, sessionBudget: { maxTx: "10b" } });
      limits.admit(UPLINK, 50, 0);
      return log.map(({ fault, bytes }) => `${fault} ${bytes}`);
    };
    expect(both("9b")).toEqual(["half_open 9"]);
    expect(both("20b")).toEqual(["session_budget 10"]);
  });
});

describe("under a schedule", () => {
  const share = (atMs: number): number => {
    const FLOWS = 2000;
    let over = 0;
    for (let flow = 0; flow < FLOWS; flow++) {
      const { limits } = limited({ halfOpen: { after: "1b" }, schedule: { kind: "ramp", ramp: "1s" } }, BigInt(flow));
      expect(limits.admit(UPLINK, 10, atMs * MS)).toBe(limits.over ? 1 : 10);
      if (limits.over) over++;
    }
    return over / FLOWS;
  };

  it("acts on a share of flows as large as the severity, and lets the others pass whole", () => {
    // Five standard deviations.
    expect(Math.abs(share(300) - 0.3)).toBeLessThan(5 * Math.sqrt((0.3 * 0.7) / 2000));
    expect(share(0)).toBe(0);
    expect(share(1000)).toBe(1);
  });
});
