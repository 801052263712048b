import { describe, expect, it } from "vitest";
import { compilePolicy } from "../../../src/policy/compile.ts";
import type { PolicyFields } from "../../../src/policy/fields.ts";

const NOTHING_ELSE = { correlatedLoss: undefined, congestion: "none", duplicate: undefined, reorder: undefined };

const inline = (fields: PolicyFields): bigint => compilePolicy(fields, undefined).keyHash;

describe("directions", () => {
  it("takes the general fields for both", () => {
    const { uplink, downlink } = compilePolicy(
      { latency: "50ms", jitter: "10ms", packetLoss: "1%", burstLoss: 3, rate: "2mbps" },
      "a",
    ).faults;
    expect(uplink).toEqual({
      latencyNs: 50_000_000,
      jitterNs: 10_000_000,
      lossPpm: 10_000,
      burst: 3,
      rateBps: 2_000_000,
      ...NOTHING_ELSE,
      congestion: "cubic",
    });
    expect(downlink).toEqual(uplink);
  });

  it("lets a direction win, also with zero", () => {
    const { uplink, downlink } = compilePolicy(
      {
        latency: "50ms",
        packet_loss: "1%",
        rate: "1mbps",
        uplink: { latency: "0ms", packet_loss: "0%", rate: "unlimited" },
        downlink: { burstLoss: 2 },
      },
      "a",
    ).faults;
    expect(uplink).toEqual({ latencyNs: 0, jitterNs: 0, lossPpm: 0, burst: 1, rateBps: Infinity, ...NOTHING_ELSE });
    expect(downlink).toEqual({
      latencyNs: 50_000_000,
      jitterNs: 0,
      lossPpm: 10_000,
      burst: 2,
      rateBps: 1_000_000,
      ...NOTHING_ELSE,
      congestion: "cubic",
    });
  });

  it("does nothing where nothing is said", () => {
    const compiled = compilePolicy({}, "a");
    const none = { latencyNs: 0, jitterNs: 0, lossPpm: 0, burst: 1, rateBps: Infinity, ...NOTHING_ELSE };
    expect(compiled.faults).toEqual({
      uplink: none,
      downlink: none,
      timeout: { connectNs: undefined, recvNs: undefined },
      connectionError: undefined,
      halfOpen: undefined,
      dns: undefined,
      sessionBudget: undefined,
      mutation: undefined,
      schedule: undefined,
      rateShare: "flow",
    });
    expect(compiled).toMatchObject({ skip: 0, times: Infinity });
    expect(compiled).toMatchObject({ name: "a", seed: undefined, targets: undefined, notImplemented: [] });
  });
});

describe("transport faults", () => {
  it("gives a connection error the probability 100 %", () => {
    expect(compilePolicy({ connectionError: { kind: "refused" } }, "a").faults.connectionError).toEqual({
      kind: "refused",
      ppm: 1_000_000,
    });
    expect(compilePolicy({ connectionError: { kind: "reset", prob: "0%" } }, "a").faults.connectionError?.ppm).toBe(0);
  });

  it("keeps one timeout without the other", () => {
    expect(compilePolicy({ timeout: { recv: "20ms" } }, "a").faults.timeout).toEqual({ connectNs: undefined, recvNs: 20_000_000 });
  });
});

describe("seeds", () => {
  it.each([
    ["0x10", 16n],
    [0, 0n],
    [2n ** 64n - 1n, 2n ** 64n - 1n],
  ])("%s", (seed, value) => {
    expect(compilePolicy({ seed }, "a").seed).toBe(value);
  });
});

describe("what no engine serves yet", () => {
  it.each<PolicyFields>([
    { rateShare: "scope", schedule: { kind: "ramp", ramp: "1s" } },
    { packetDuplicate: { prob: "1%" }, packetReorder: { prob: "1%", stream: "swap" } },
    { congestion: "reno", correlated_loss: { p_good_to_bad: "1%", p_bad_to_good: "1%", loss_good: "0%", loss_bad: "1%" } },
    { skip: 1, times: 1 },
    { payload_mutation: { enabled: false } },
    { latency: "1ms", jitter: "1ms", rate: "1mbps", packetLoss: "1%", burst_loss: 2, timeout: { connect: "1s" }, uplink: {}, seed: 1 },
    {
      connection_error: { kind: "reset" },
      targets: ["tcp://10.0.0.1", "a.example:443", { cidr: "10.0.0.0/8", priority: 1, exclude: true }],
    },
    { dns: { delay: "1ms" }, targets: ["a.example", { sni: "b.example" }] },
    { targets: ["10.0.0.1", { host: "10.0.0.2", protocol: "udp", exclude: true }] },
  ])("does not list what works: %j", (fields) => {
    expect(compilePolicy(fields, "a").notImplemented).toEqual([]);
  });
});

describe("the key of a policy", () => {
  it("is the same for other spellings, units and orders of inline fields", () => {
    const key = inline({ latency: "50ms", packetLoss: "1%", targets: ["tcp://10.0.0.1"] });
    expect(inline({ targets: [{ host: "10.0.0.1", protocol: "tcp" }], packet_loss: "10000ppm", latency: "0.05s" })).toBe(key);
    expect(inline({ latency: "50ms", packetLoss: "1%", targets: ["tcp://10.0.0.1"], jitter: undefined })).toBe(key);
  });

  it("differs where the fields differ", () => {
    const fields: PolicyFields[] = [
      {},
      { latency: "1ms" },
      { jitter: "1ms" },
      { latency: "2ms" },
      { rate: "unlimited" },
      { uplink: { latency: "1ms" } },
    ];
    expect(new Set(fields.map(inline)).size).toBe(fields.length);
  });

  it("leaves the seed out", () => {
    expect(inline({ latency: "1ms", seed: 1 })).toBe(inline({ latency: "1ms", seed: "0x2" }));
  });

  it("depends on the name only where there is one", () => {
    const key = compilePolicy({ latency: "1ms" }, "slow").keyHash;
    expect(compilePolicy({ latency: "2ms" }, "slow").keyHash).toBe(key);
    expect(compilePolicy({ latency: "1ms" }, "slow2").keyHash).not.toBe(key);
  });

  // Golden: a change of these changes every recorded run.
  it("stays what it is from release to release", () => {
    expect(compilePolicy({}, "slow").keyHash).toBe(0x6427f9213b5bb0a6n);
    const compiled = compilePolicy({ latency: "50ms", rate: "unlimited", targets: ["tcp://10.0.0.0/8:443"] }, undefined);
    expect(compiled.keyHash).toBe(0xe16afb645e330000n);
    expect(compiled.name).toBe("inline:e16afb64");
  });

  it("names inline policies by eight hex digits", () => {
    expect(compilePolicy({}, undefined).name).toMatch(/^inline:[0-9a-f]{8}$/);
  });

  it("can be sent to another thread", () => {
    const compiled = compilePolicy({ rate: "unlimited", seed: 1n, targets: ["[::1]:53"] }, undefined);
    expect(structuredClone(compiled)).toEqual(compiled);
  });
});
