/** `half_open` and `session_budget`: exactly how much passes, and what happens then. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HalfOpen } from "../../../src/engine/faults/half-open.ts";
import { SessionBudget } from "../../../src/engine/faults/session-budget.ts";
import { type BudgetFault, DOWNLINK, type Direction, UPLINK } from "../../../src/engine/types.ts";
import { MS, S } from "./helpers.ts";

const budget = (fault: Partial<BudgetFault>, boundAtNs = 0): SessionBudget =>
  new SessionBudget(
    {
      maxTxBytes: Infinity,
      maxRxBytes: Infinity,
      maxOps: Infinity,
      maxDurationNs: Infinity,
      action: "drop",
      budgetTimeoutNs: Infinity,
      error: "reset",
      ...fault,
    },
    boundAtNs,
  );

describe("half_open", () => {
  it("lets exactly `after` bytes pass, both directions together, and is over with the last of them", () => {
    const halfOpen = new HalfOpen({ afterBytes: 10, error: "reset" });
    expect(halfOpen.admitBytes(4)).toBe(4);
    expect(halfOpen.reached).toBe(false);
    expect(halfOpen.admitBytes(6)).toBe(6);
    expect(halfOpen.reached).toBe(true);
    expect(halfOpen.admitBytes(1)).toBe(0);
    expect(halfOpen.passed).toBe(10);
  });

  it("lets the same bytes pass, however they are cut", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5000 }), fc.array(fc.integer({ min: 0, max: 2000 })), (afterBytes, chunks) => {
        const halfOpen = new HalfOpen({ afterBytes, error: "silent" });
        let passed = 0;
        for (const chunk of chunks) passed += halfOpen.admitBytes(chunk);
        const total = chunks.reduce((sum, chunk) => sum + chunk, 0);
        expect(passed).toBe(Math.min(total, afterBytes));
        expect(halfOpen.reached).toBe(chunks.length > 0 && total >= afterBytes);
      }),
    );
  });

  it("without `after` lets no byte pass", () => {
    const halfOpen = new HalfOpen({ afterBytes: undefined, error: "reset" });
    expect(halfOpen.reached).toBe(false);
    expect(halfOpen.admitBytes(5)).toBe(0);
    expect(halfOpen.reached).toBe(true);
  });

  it("lets a datagram pass whole or not at all", () => {
    const halfOpen = new HalfOpen({ afterBytes: 10, error: "silent" });
    expect([4, 4, 4].map((bytes) => halfOpen.admitDatagram(bytes))).toEqual([true, true, false]);
    expect(halfOpen.reached).toBe(true);
    expect(halfOpen.admitDatagram(1)).toBe(false);
    expect(new HalfOpen({ afterBytes: undefined, error: "silent" }).admitDatagram(0)).toBe(false);
  });

  it("says what the program sees", () => {
    const endOf = (error: "reset" | "refused" | "unreachable" | "silent"): unknown => new HalfOpen({ afterBytes: 1, error }).end;
    expect(endOf("reset")).toEqual({ silentNs: 0, code: "ECONNRESET" });
    expect(endOf("refused")).toEqual({ silentNs: 0, code: "ECONNRESET" });
    expect(endOf("unreachable")).toEqual({ silentNs: 0, code: "EHOSTUNREACH" });
    expect(endOf("silent")).toEqual({ silentNs: Infinity, code: undefined });
  });
});

describe("session_budget", () => {
  it("max_tx: the bytes within it pass, the first one beyond ends both directions", () => {
    const session = budget({ maxTxBytes: 10 });
    expect(session.admitBytes(UPLINK, 10, 0)).toBe(10);
    expect(session.exceeded).toBeUndefined();
    expect(session.admitBytes(DOWNLINK, 1e6, 0)).toBe(1e6);
    expect(session.admitBytes(UPLINK, 3, 0)).toBe(0);
    expect(session.exceeded).toBe("max_tx");
    expect(session.admitBytes(DOWNLINK, 1, 0)).toBe(0);
    expect(session.decision(UPLINK, 7)).toMatchObject({ fault: "session_budget", decision: "max_tx: drop", bytes: 10, delayNs: Infinity });
  });

  it("max_rx cuts a chunk where the budget ends", () => {
    const session = budget({ maxRxBytes: 10 });
    expect(session.admitBytes(DOWNLINK, 25, 0)).toBe(10);
    expect(session.exceeded).toBe("max_rx");
  });

  it("max_ops counts runs of bytes in one direction, however they are cut", () => {
    const session = budget({ maxOps: 3 });
    const directions: Direction[] = [UPLINK, UPLINK, DOWNLINK, DOWNLINK, DOWNLINK, UPLINK, UPLINK, DOWNLINK];
    expect(directions.map((direction) => session.admitBytes(direction, 5, 0))).toEqual([5, 5, 5, 5, 5, 5, 5, 0]);
    expect(session.exceeded).toBe("max_ops");
  });

  it("max_ops counts each datagram", () => {
    const session = budget({ maxOps: 2 });
    expect([1, 1, 1].map((bytes) => session.admitDatagram(UPLINK, bytes, 0))).toEqual([true, true, false]);
    expect(session.exceeded).toBe("max_ops");
  });

  it("a datagram that does not fit ends the flow, also for smaller ones", () => {
    const session = budget({ maxTxBytes: 10 });
    expect([6, 6, 1].map((bytes) => session.admitDatagram(UPLINK, bytes, 0))).toEqual([true, false, false]);
    expect(session.exceeded).toBe("max_tx");
  });

  it("max_duration counts from the binding", () => {
    const session = budget({ maxDurationNs: 100 * MS }, 5 * S);
    expect(session.endsAtNs).toBe(5 * S + 100 * MS);
    expect(session.admitBytes(UPLINK, 1, 5 * S + 99 * MS)).toBe(1);
    session.expire(5 * S + 99 * MS);
    expect(session.exceeded).toBeUndefined();
    session.expire(5 * S + 100 * MS);
    expect(session.exceeded).toBe("max_duration");
    expect(session.admitBytes(UPLINK, 1, 5 * S + 100 * MS)).toBe(0);
  });

  it("says what happens then", () => {
    const limits = { maxOps: 1 };
    expect(budget(limits).end).toEqual({ silentNs: Infinity, code: undefined });
    expect(budget({ ...limits, action: "timeout", budgetTimeoutNs: S }).end).toEqual({ silentNs: S, code: "ETIMEDOUT" });
    expect(budget({ ...limits, action: "connection_error", error: "unreachable" }).end).toEqual({ silentNs: 0, code: "EHOSTUNREACH" });
    expect(budget({ ...limits, action: "connection_error", error: "refused" }).end).toEqual({ silentNs: 0, code: "ECONNRESET" });
  });

  it("lets the same bytes pass, however they are cut", () => {
    const run = fc.record({ direction: fc.constantFrom<Direction>(UPLINK, DOWNLINK), bytes: fc.integer({ min: 1, max: 300 }) });
    fc.assert(
      fc.property(fc.array(run), fc.integer({ min: 1, max: 900 }), fc.integer({ min: 1, max: 6 }), (runs, maxBytes, maxOps) => {
        const passes = (step: number): unknown => {
          const session = budget({ maxTxBytes: maxBytes, maxRxBytes: maxBytes, maxOps });
          const passed: [number, number] = [0, 0];
          for (const { direction, bytes } of runs) {
            for (let left = bytes; left > 0; left -= step) passed[direction] += session.admitBytes(direction, Math.min(step, left), 0);
          }
          return [passed, session.exceeded];
        };
        expect(passes(7)).toEqual(passes(1000));
      }),
    );
  });
});
