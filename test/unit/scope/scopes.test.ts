import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { event, governing, makeLayer, turn, type Layer } from "./helpers.ts";

let layer: Layer;

beforeEach(() => {
  layer = makeLayer();
});

afterEach(() => {
  layer.expectQuiet();
});

const invalidUse: unknown = expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_USE" });
const unknownPolicy: unknown = expect.objectContaining({ code: "ERR_FAULTCORE_UNKNOWN_POLICY" });

describe("withFaults", () => {
  it("applies and selects for one call", async () => {
    const { withFaults, getContextPolicy } = layer;
    const seen = await withFaults("slow", async () => {
      await turn();
      return [governing(), getContextPolicy()];
    });
    expect(seen).toEqual(["slow", "slow"]);
    expect(getContextPolicy()).toBe(null);
  });

  it("counts as applied for fault() inside: there is one scope and one report", () => {
    const { withFaults, fault, policyContext, host } = layer;
    expect(withFaults("slow", fault()(governing))).toBe("slow");
    expect(policyContext("lossy").run(() => withFaults({ latency: "1ms" }, fault()(governing)))).toMatch(/^inline:/);
    expect(host.begun).toHaveLength(2);
    expect(withFaults("slow", () => policyContext("lossy").run(fault()(governing)))).toBe("lossy");
  });

  it("throws for a policy that is not registered, and does not call the function", () => {
    let called = false;
    expect(() => layer.withFaults("slwo", () => (called = true))).toThrow(unknownPolicy);
    expect(called).toBe(false);
  });

  it("refuses what is no function", () => {
    const { withFaults } = layer;
    expect(() => withFaults("slow", Promise.resolve() as never)).toThrow(
      expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_ARGUMENT" }),
    );
  });
});

describe("withoutFaults", () => {
  it("keeps the scopes around it out until its work is over", async () => {
    const { withFaults, withoutFaults } = layer;
    const seen = await withFaults("slow", async () => {
      const inside = await withoutFaults(async () => {
        await turn();
        return governing();
      });
      return [inside, governing()];
    });
    expect(seen).toEqual([undefined, "slow"]);
  });

  it("lets scopes inside apply", () => {
    const { withFaults, withoutFaults } = layer;
    expect(withFaults("slow", () => withoutFaults(() => withFaults("lossy", governing)))).toBe("lossy");
  });

  it("that is abandoned ends at reset", () => {
    void layer.withoutFaults(() => new Promise(() => {}));
    layer.reset();
  });
});

describe("faultScope", () => {
  it("opens at the first run and ends when that is over", async () => {
    const { faultScope, manager } = layer;
    const scope = faultScope("slow");
    expect(scope.report().state).toBe("not started");
    const running = scope.run(async () => {
      await turn();
      return governing();
    });
    expect(scope.report().state).toBe("live");
    expect(scope.signal.aborted).toBe(false);
    expect(await running).toBe("slow");
    expect(scope.report().state).toBe("ended");
    expect(scope.signal.aborted).toBe(true);
    expect(manager.liveCount()).toBe(0);
  });

  it("lets runs join while one is under way", async () => {
    const { faultScope, host } = layer;
    const scope = faultScope("slow");
    const first = scope.run(() => turn());
    expect(scope.run(governing)).toBe("slow");
    expect(scope.report().state).toBe("live");
    await first;
    expect(host.begun).toHaveLength(1);
  });

  it("cannot be run again after its end", () => {
    const scope = layer.faultScope("slow");
    scope.run(() => {});
    expect(() => scope.run(() => {})).toThrow(invalidUse);
  });

  it("ends with its block under using, even if something still runs in it", () => {
    {
      using scope = layer.faultScope("slow");
      void scope.run(() => new Promise(() => {}));
    }
    expect(layer.manager.liveCount()).toBe(0);
    layer.reset();
  });

  it("throws for a policy that is not registered, when it is made", () => {
    expect(() => layer.faultScope("nope")).toThrow(unknownPolicy);
  });

  it("keeps the policy that it was made with", () => {
    const { faultScope, registry, host } = layer;
    const scope = faultScope("slow");
    registry.register("slow", { latency: "1s" });
    scope.run(() => {});
    expect(host.begun[0]?.fields).toEqual({ latency: "50ms" });
  });

  it("gives its events as a copy, after it has taken in what the relay said", () => {
    const scope = layer.faultScope("slow");
    scope.run(() => layer.host.begun[0]?.addEvent(event()));
    expect(scope.events()).toEqual([event()]);
    scope.events().pop();
    expect(scope.events()).toHaveLength(1);
    expect(layer.host.drained).toBe(3);
  });
});

describe("activate", () => {
  it("is in force until it is disposed of; the newest governs", () => {
    const { activate, host } = layer;
    const first = activate("slow");
    const second = activate({ latency: "1ms" });
    second.dispose();
    second.dispose();
    first.dispose();
    expect(host.activations).toEqual(["slow", expect.stringMatching(/^inline:/), "slow", undefined]);
    expect([first.active, second.active]).toEqual([false, false]);
  });

  it("that is covered can be disposed of before the one that covers it", () => {
    const { activate, host } = layer;
    const first = activate("slow");
    const second = activate("lossy");
    first.dispose();
    expect(host.activations.at(-1)).toBe("lossy");
    second.dispose();
    expect(host.activations.at(-1)).toBe(undefined);
  });

  it("keeps async tracking off", () => {
    using _ = layer.activate("slow");
    expect(governing()).toBe(undefined);
    expect(layer.manager.governing()?.policy.name).toBe("slow");
    layer.withFaults("lossy", () => expect(layer.manager.governing()?.policy.name).toBe("lossy"));
    layer.withoutFaults(() => expect(layer.manager.governing()).toBe(undefined));
  });

  it("is updated in its place, as a new application", () => {
    const { activate, host } = layer;
    using slow = activate("slow");
    using covering = activate("lossy");
    slow.update({ jitter: "1ms" });
    expect(host.activations.at(-1)).toBe("lossy");
    expect(covering.active).toBe(true);
    expect(slow.report()).toMatchObject({ policy: expect.stringMatching(/^inline:/), state: "live" });
    expect(host.ended.map((record) => record.policy.name)).toEqual(["slow"]);
  });

  it("stays as it was when an update is invalid", () => {
    using slow = layer.activate("slow");
    expect(() => slow.update({ latency: "x" })).toThrow(expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_POLICY" }));
    expect(() => slow.update("nope")).toThrow(unknownPolicy);
    expect(slow.active).toBe(true);
    expect(slow.report().policy).toBe("slow");
  });

  it("cannot be updated after its end", () => {
    const slow = layer.activate("slow");
    slow.dispose();
    expect(() => slow.update("lossy")).toThrow(invalidUse);
  });
});

describe("reset", () => {
  it("ends everything, clears policies and ordinals, and can be repeated", async () => {
    const { fault, activate, policyContext, setContextPolicy, reset, registry, host } = layer;
    activate("slow");
    void fault("slow")(() => new Promise(() => {}))();
    void policyContext("slow").run(() => new Promise(() => {}));
    setContextPolicy("slow");
    reset();
    layer.expectQuiet();
    expect(host.activations.at(-1)).toBe(undefined);
    expect(registry.list()).toEqual([]);
    registry.register("slow", { latency: "1ms" });
    fault("slow")(() => {})();
    expect(host.begun.at(-1)?.ordinal).toBe(0);
    reset();
    reset();
  });

  it("leaves work that goes on to run unfaulted to its end", async () => {
    const { fault, reset } = layer;
    const work = fault("slow")(async () => {
      await turn();
      return governing();
    })();
    reset();
    expect(await work).toBe(undefined);
  });
});
