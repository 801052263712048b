import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { PolicyFields } from "../../../src/policy/fields.ts";
import { PolicyRegistry } from "../../../src/policy/registry.ts";
import { Effects } from "../../../src/scope/effects.ts";
import type { ScopeManager } from "../../../src/scope/manager.ts";
import type { Applicable } from "../../../src/scope/policies.ts";
import { Policies } from "../../../src/scope/policies.ts";
import type { FaultWrapper } from "../../../src/scope/wrap.ts";
import { makeLayer, turn, type Layer } from "./helpers.ts";

let layer: Layer;

beforeEach(() => {
  layer = makeLayer();
});

afterEach(() => {
  layer.expectQuiet();
});

/** The fields of the scope that a call opens last. */
function fieldsOf(call: () => unknown): object | undefined {
  call();
  return layer.host.begun.at(-1)?.fields;
}

const nothing = (): void => {};

describe("effects", () => {
  it("add one field each", () => {
    const { latency, jitter, packetLoss, burstLoss, rate, timeout, uplink, downlink, connectionError } = layer;
    expect(fieldsOf(latency("50ms")(nothing))).toEqual({ latency: "50ms" });
    expect(fieldsOf(jitter("10ms")(nothing))).toEqual({ jitter: "10ms" });
    expect(fieldsOf(packetLoss("1%")(nothing))).toEqual({ packetLoss: "1%" });
    expect(fieldsOf(burstLoss("3")(nothing))).toEqual({ burstLoss: "3" });
    expect(fieldsOf(rate("2mbps")(nothing))).toEqual({ rate: "2mbps" });
    expect(fieldsOf(timeout({ connect: "1s" })(nothing))).toEqual({ timeout: { connect: "1s" } });
    expect(fieldsOf(uplink({ packet_loss: "1%" })(nothing))).toEqual({ uplink: { packetLoss: "1%" } });
    expect(fieldsOf(downlink({ latency: "1ms" })(nothing))).toEqual({ downlink: { latency: "1ms" } });
    expect(fieldsOf(connectionError({ kind: "refused" })(nothing))).toEqual({ connectionError: { kind: "refused" } });
  });

  it("that are stacked in any order make the same fields, whatever the faults", () => {
    const fields: PolicyFields[] = [];
    // A manager that opens nothing: some of these faults may have no engine.
    const manager = {
      governing: () => undefined,
      open: ({ fields: given }: Applicable) => void fields.push(given),
      apply: (_record: unknown, body: () => unknown) => body(),
    } as unknown as ScopeManager;
    const effects = new Effects(manager, new Policies(new PolicyRegistry()));
    const expected = {
      latency: "50ms",
      jitter: "10ms",
      burstLoss: "3",
      rate: "2mbps",
      uplink: { rate: "1mbps" },
      downlink: { packetLoss: "2%" },
      timeout: { connect: "1s", recv: "2s" },
      connectionError: { kind: "refused" },
      correlatedLoss: { pGoodToBad: "1%", pBadToGood: "25%", lossGood: "0%", lossBad: "100%" },
      halfOpen: { after: "64kb", error: "silent" },
      packetDuplicate: { prob: "5%", maxExtra: 2 },
      packetReorder: { window: 3 },
      dns: { delay: "300ms", nxdomain: "10%" },
      sessionBudget: { maxTx: "1mb", action: "connection_error" },
      payloadMutation: { type: "truncate", truncateSize: "10b" },
    } satisfies PolicyFields;
    const all: FaultWrapper[] = [
      effects.latency("50ms"),
      effects.jitter("10ms"),
      effects.burstLoss("3"),
      effects.rate("2mbps"),
      effects.uplink({ rate: "1mbps" }),
      effects.downlink({ packet_loss: "2%" }),
      effects.timeout({ connect: "1s" }),
      effects.timeout({ recv: "2s" }),
      effects.connectionError({ kind: "refused" }),
      effects.correlatedLoss({ p_good_to_bad: "1%", pBadToGood: "25%", lossGood: "0%", lossBad: "100%" }),
      effects.halfOpen({ after: "64kb", error: "silent" }),
      effects.packetDuplicate({ prob: "5%", max_extra: 2 }),
      effects.packetReorder({ window: 3 }),
      effects.dns({ delay: "300ms" }),
      effects.dns({ nxdomain: "10%" }),
      effects.sessionBudget({ maxTx: "1mb", action: "connection_error" }),
      effects.payloadMutation({ type: "truncate", truncateSize: "10b" }),
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(all, { minLength: all.length }), (wrappers) => {
        fields.length = 0;
        wrappers.reduce((fn, wrap) => wrap(fn), nothing)();
        expect(fields).toEqual([expected]);
      }),
      { numRuns: 50 },
    );
  });

  it("refuse bad values when the wrapper is made", () => {
    const { latency, packetLoss, burstLoss, timeout } = layer;
    for (const make of [() => latency("50"), () => packetLoss("101%"), () => burstLoss(0), () => timeout({})]) {
      expect(make).toThrow(expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_POLICY" }));
    }
  });

  it("refuse no value at all, which would fault nothing and say nothing", () => {
    for (const make of [layer.latency, layer.rate, layer.timeout, layer.uplink, layer.connectionError] as ((
      value?: unknown,
    ) => unknown)[]) {
      expect(() => make()).toThrow(expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_ARGUMENT" }));
    }
  });

  it("that are stacked make one scope, in any order", () => {
    const { latency, jitter, timeout, uplink } = layer;
    const all = [latency("50ms"), jitter("10ms"), timeout({ connect: "1s" }), timeout({ recv: "2s" }), uplink({ latency: "5ms" })];
    const order = fc.shuffledSubarray(all, { minLength: all.length });
    fc.assert(
      fc.property(order, (wrappers: FaultWrapper[]) => {
        const before = layer.host.begun.length;
        const fields = fieldsOf(wrappers.reduce((fn, wrap) => wrap(fn), nothing));
        expect(layer.host.begun.length).toBe(before + 1);
        expect(fields).toEqual({
          latency: "50ms",
          jitter: "10ms",
          timeout: { connect: "1s", recv: "2s" },
          uplink: { latency: "5ms" },
        });
      }),
    );
    const names = new Set(layer.host.begun.map((record) => record.policy.name));
    expect(names.size).toBe(1);
  });

  it("that set the same field: the inner one wins", () => {
    const { latency } = layer;
    expect(fieldsOf(latency("1ms")(latency("2ms")(nothing)))).toEqual({ latency: "2ms" });
  });

  it("compose with the scope around them, and win on the same field", async () => {
    const { registry, withFaults, latency, host } = layer;
    registry.register("around", {
      latency: "5ms",
      packet_loss: "1%",
      timeout: { connect: "1s", recv: "2s" },
      targets: ["10.0.0.0/8"],
      seed: 3,
    });
    const call = layer.timeout({ recv: "9s" })(latency("50ms")(async () => turn()));
    await withFaults("around", async () => {
      await call();
      await call();
    });
    const merged = { latency: "50ms", packetLoss: "1%", timeout: { connect: "1s", recv: "9s" }, targets: ["10.0.0.0/8"], seed: 3 };
    expect(host.begun.map((record) => record.fields)).toEqual([
      { latency: "5ms", packetLoss: "1%", timeout: { connect: "1s", recv: "2s" }, targets: ["10.0.0.0/8"], seed: 3 },
      merged,
      merged,
    ]);
    expect(host.begun.map((record) => record.ordinal)).toEqual([0, 0, 1]);
    expect(host.begun[1]?.seed).toBe(3n);
  });

  it("compose with an activation, but not through withoutFaults", () => {
    const { activate, latency, withoutFaults } = layer;
    using _ = activate("lossy");
    expect(fieldsOf(latency("50ms")(nothing))).toEqual({ packetLoss: "1%", latency: "50ms" });
    expect(fieldsOf(() => withoutFaults(latency("50ms")(nothing)))).toEqual({ latency: "50ms" });
  });

  it("replace a connection error as a whole", () => {
    const { connectionError, withFaults } = layer;
    const call = connectionError({ kind: "reset" })(nothing);
    const fields = fieldsOf(() => withFaults({ connectionError: { kind: "refused", prob: "1%" } }, call));
    expect(fields).toEqual({ connectionError: { kind: "reset" } });
  });
});
