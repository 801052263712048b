import { expect, it } from "vitest";
import { FAULT_IDS } from "../../../src/engine/registry.ts";
import { faultScope } from "../../../src/index.ts";
import type { FaultScope, ScopeReport } from "../../../src/index.ts";
import { FAULT_NAMES } from "../../../src/testing/fault-names.ts";
import { checkInjected } from "../../../src/testing/injected.ts";

/** A scope that has injected so many latencies. */
function scopeWith(latencies: number): FaultScope {
  const scope = faultScope({ latency: "1ms" });
  const done = { count: latencies, delayMs: latencies, maxDelayMs: 1, held: 0, measured: null, codes: {} };
  const report: ScopeReport = { ...scope.report(), injected: latencies, faults: latencies === 0 ? {} : { latency: done } };
  return Object.assign(scope, { report: () => report });
}

const check = (scope: unknown, ...rest: unknown[]) => checkInjected("toHaveInjected()", scope, ...(rest as []));

it("knows the faults that the engine knows, in its order", () => {
  expect(FAULT_NAMES).toEqual(Object.keys(FAULT_IDS));
});

it.each([
  [undefined, {}, [false, true, true, true]],
  ["latency", {}, [false, true, true, true]],
  ["latency", { times: 2 }, [false, false, true, false]],
  ["latency", { times: 0 }, [true, false, false, false]],
  ["latency", { atLeast: 2 }, [false, false, true, true]],
  ["jitter", {}, [false, false, false, false]],
])("of %s, %j is said of 0, 1, 2 and 3 times: %j", (fault, options, expected) => {
  expect([0, 1, 2, 3].map((times) => check(scopeWith(times), fault, options).pass)).toEqual(expected);
});

it("says how often it was, and shows the report", () => {
  const { message } = check(scopeWith(3), "latency", { times: 2 });
  expect(message).toMatch(/^Expected the scope of policy "inline:\w+" to have injected latency 2 times; it did 3 times\.\n/);
  expect(message).toContain("3 events");
  expect(check(scopeWith(3), "latency").message).toContain("not to have injected latency at least once; it did 3 times.");
});

it("says why there was nothing", () => {
  expect(check(faultScope({ latency: "1ms" })).message).toContain("injected nothing: it has not been run");
});

it.each([
  ["a misspelt fault", ["latncy"]],
  ["a field's other spelling", ["packetLoss"]],
  ["a count below zero", ["latency", { times: -1 }]],
  ["half a time", ["latency", { atLeast: 0.5 }]],
  ["both counts", ["latency", { times: 1, atLeast: 1 }]],
])("refuses %s, which would never or always be true", (_what, args) => {
  expect(() => check(scopeWith(1), ...args)).toThrow(expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_ARGUMENT" }));
});

it("refuses what is no scope", () => {
  for (const value of [undefined, null, 1, {}, { report: () => ({}) }]) {
    expect(() => check(value)).toThrow(expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_ARGUMENT" }));
  }
});
