import { describe, expect, it } from "vitest";
import { hashFlowKey, hashText } from "../../../src/engine/draw.ts";
import { LOOKUP_EXCHANGE, lookupDelayDecision, lookupFailureDecision, planLookup } from "../../../src/engine/faults/dns.ts";
import type { LookupPlan } from "../../../src/engine/faults/dns.ts";
import { Severity } from "../../../src/engine/faults/schedule.ts";
import type { DnsFault, ScheduleFault } from "../../../src/engine/types.ts";

const SEED = 7n;
const always = new Severity(undefined, 0);
const dns = (fields: Partial<DnsFault>): DnsFault => ({ delayNs: 0, timeoutNs: undefined, nxdomainPpm: 0, ...fields });
const flow = (ordinal: number): bigint =>
  hashFlowKey({ policyKeyHash: hashText("p"), scopeOrdinal: 0, target: "api.example", flowOrdinal: ordinal, threadPath: "0" });

const plan = (fault: Partial<DnsFault>, ordinal = 0, severity = always, nowNs = 0): LookupPlan =>
  planLookup(dns(fault), "lookup", { seed: SEED, flowHash: flow(ordinal) }, severity, nowNs);

/** A ramp of one second, so that the severity at n ms is n / 1000. */
const ramp = new Severity({ kind: "ramp", rampNs: 1e9, anchor: "process" } satisfies ScheduleFault, 0);

describe("one lookup", () => {
  it("is delayed after its answer came", () => {
    expect(plan({ delayNs: 5e6 })).toEqual({ delayNs: 5e6, failure: undefined });
  });

  it("fails with ENOTFOUND when the delay is over, rolled before the timeout", () => {
    const fault = { delayNs: 5e6, timeoutNs: 9e6, nxdomainPpm: 1e6 };
    expect(plan(fault)).toEqual({ delayNs: 5e6, failure: { code: "ENOTFOUND", afterNs: 5e6 } });
  });

  it("hangs for exactly the timeout, whatever the delay, and fails as the interface that was asked does", () => {
    const fault = dns({ delayNs: 5e6, timeoutNs: 9e6 });
    const key = { seed: SEED, flowHash: flow(0) };
    expect(planLookup(fault, "lookup", key, always, 0)).toEqual({ delayNs: 0, failure: { code: "EAI_AGAIN", afterNs: 9e6 } });
    expect(planLookup(fault, "resolver", key, always, 0)).toEqual({ delayNs: 0, failure: { code: "ETIMEOUT", afterNs: 9e6 } });
  });

  it("passes where nothing is set", () => {
    expect(plan({})).toEqual({ delayNs: 0, failure: undefined });
  });
});

describe("many lookups", () => {
  it("fail as often as nxdomain says: 10 % of 20,000, within 5 standard errors", () => {
    const trials = 20_000;
    let failed = 0;
    for (let n = 0; n < trials; n++) if (plan({ nxdomainPpm: 100_000 }, n).failure !== undefined) failed++;
    expect(Math.abs(failed / trials - 0.1), `seed ${SEED}`).toBeLessThan(5 * Math.sqrt((0.1 * 0.9) / trials));
  });

  it("have the same fates again, and none of them depends on the delay or the timeout", () => {
    const fates = (fault: Partial<DnsFault>): boolean[] =>
      Array.from({ length: 500 }, (_, n) => plan({ nxdomainPpm: 300_000, ...fault }, n).failure?.code === "ENOTFOUND");
    const first = fates({});
    expect(first).toContain(true);
    expect(first).toContain(false);
    expect(fates({})).toEqual(first);
    expect(fates({ delayNs: 1e6, timeoutNs: 1e6 })).toEqual(first);
  });
});

describe("under a schedule", () => {
  it("the severity multiplies the delay and the probability", () => {
    expect(plan({ delayNs: 10e6 }, 0, ramp, 0.25e9).delayNs).toBe(2.5e6);
    const trials = 20_000;
    let failed = 0;
    for (let n = 0; n < trials; n++) if (plan({ nxdomainPpm: 400_000 }, n, ramp, 0.5e9).failure !== undefined) failed++;
    expect(Math.abs(failed / trials - 0.2), `seed ${SEED}`).toBeLessThan(5 * Math.sqrt((0.2 * 0.8) / trials));
  });

  it("the timeout acts with probability s, and not at all at 0", () => {
    const trials = 20_000;
    let failed = 0;
    for (let n = 0; n < trials; n++) if (plan({ timeoutNs: 1e6 }, n, ramp, 0.3e9).failure !== undefined) failed++;
    expect(Math.abs(failed / trials - 0.3), `seed ${SEED}`).toBeLessThan(5 * Math.sqrt((0.3 * 0.7) / trials));
    expect(plan({ delayNs: 1e6, timeoutNs: 1e6, nxdomainPpm: 1e6 }, 0, ramp, 0)).toEqual({ delayNs: 0, failure: undefined });
  });
});

describe("records", () => {
  it("say what happened, at the position that lookups have", () => {
    expect(lookupDelayDecision(3, 5e6)).toMatchObject({
      atNs: 3,
      exchange: LOOKUP_EXCHANGE,
      fault: "dns",
      decision: "delay",
      delayNs: 5e6,
    });
    const timedOut = lookupFailureDecision(4, { code: "EAI_AGAIN", afterNs: 9e6 });
    expect(timedOut).toMatchObject({ atNs: 4, fault: "dns", decision: "EAI_AGAIN", delayNs: 9e6, code: "EAI_AGAIN" });
    // Its delay was recorded when it was asked for.
    expect(lookupFailureDecision(4, { code: "ENOTFOUND", afterNs: 9e6 })).toMatchObject({ delayNs: 0, code: "ENOTFOUND" });
  });
});
