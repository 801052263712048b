import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { takeWarnings } from "../../helpers/fail-on-warning.ts";
import { governing, makeLayer, turn, type Layer } from "./helpers.ts";

let layer: Layer;

beforeEach(() => {
  layer = makeLayer();
});

afterEach(() => {
  layer.expectQuiet();
});

describe("fault()", () => {
  it("applies a named policy to a synchronous call", () => {
    const { fault, host } = layer;
    expect(fault("slow")(governing)()).toBe("slow");
    expect(governing()).toBe(undefined);
    expect(host.begun).toHaveLength(1);
  });

  it("keeps the scope until the promise settles, and not longer", async () => {
    const { fault, manager } = layer;
    const load = fault("slow")(async () => {
      await turn();
      return governing();
    });
    const loading = load();
    expect(manager.liveCount()).toBe(1);
    expect(governing()).toBe(undefined);
    expect(await loading).toBe("slow");
    expect(manager.liveCount()).toBe(0);
  });

  it("ends the scope when the body throws or rejects", async () => {
    const { fault } = layer;
    const error = new Error("body");
    const fail = (): never => {
      throw error;
    };
    expect(() => fault("slow")(fail)()).toThrow(error);
    await expect(fault("slow")(async () => fail())()).rejects.toBe(error);
  });

  it("reads the context policy when the function is called, not when it is wrapped", () => {
    const { fault, policyContext } = layer;
    const wrapped = policyContext("slow").run(() => fault()(governing));
    expect(wrapped()).toBe(undefined);
    expect(policyContext("lossy").run(wrapped)).toBe("lossy");
    expect(policyContext({ jitter: "1ms" }).run(wrapped)).toMatch(/^inline:/);
  });

  it("opens no scope where no policy is selected, so that an outer one continues", () => {
    const { fault, host } = layer;
    expect(fault("slow")(fault()(governing))()).toBe("slow");
    expect(host.begun).toHaveLength(1);
  });

  it("sees policies that are registered or replaced after wrapping", () => {
    const { fault, registry, host } = layer;
    const wrapped = fault("later")(governing);
    registry.register("later", { latency: "1ms" });
    expect(wrapped()).toBe("later");
    registry.register("later", { latency: "2ms" });
    wrapped();
    expect(host.begun.map((record) => record.fields)).toEqual([{ latency: "1ms" }, { latency: "2ms" }]);
  });

  it("takes inline fields and checks them when the wrapper is made", () => {
    const { fault, host } = layer;
    expect(fault({ packet_loss: "2%" })(governing)()).toMatch(/^inline:/);
    expect(host.begun[0]?.fields).toEqual({ packetLoss: "2%" });
    expect(() => fault({ latency: "-1ms" })).toThrow(expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_POLICY", path: "latency" }));
  });

  it("counts applications", () => {
    const wrapped = layer.fault("slow")(() => {});
    for (let n = 0; n < 3; n++) wrapped();
    expect(layer.host.begun.map((record) => record.ordinal)).toEqual([0, 1, 2]);
  });

  it("opens one scope per level of a recursion", () => {
    const { fault, host } = layer;
    const walk = fault("slow")((n: number): number => (n === 0 ? 0 : 1 + walk(n - 1)));
    expect(walk(3)).toBe(3);
    expect(host.begun).toHaveLength(4);
  });
});

describe("a policy that is not registered", () => {
  it("leaves the call alone and warns once per name", async () => {
    const { fault, policyContext } = layer;
    const named = fault("slwo")(governing);
    expect(named()).toBe(undefined);
    named();
    policyContext("slwo").run(fault()(governing));
    const warnings = await takeWarnings();
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatchObject({ name: "FaultcoreWarning", code: "FAULTCORE_MISSING_POLICY" });
    expect(warnings[0]?.message).toContain('Did you mean "slow"?');
  });

  it("is an error with missing: throw", () => {
    const wrapped = layer.fault("nope", { missing: "throw" })(() => {});
    expect(wrapped).toThrow(expect.objectContaining({ code: "ERR_FAULTCORE_UNKNOWN_POLICY", policy: "nope" }));
  });

  it("continues the scope around it", async () => {
    const { fault, withFaults } = layer;
    expect(withFaults("slow", fault("nope")(governing))).toBe("slow");
    expect(await takeWarnings()).toHaveLength(1);
  });
});

describe("nested and concurrent scopes", () => {
  it("the inner policy governs, and the outer one resumes", async () => {
    const { fault } = layer;
    const inner = fault("lossy")(async () => {
      await turn();
      return governing();
    });
    const outer = fault("slow")(async () => [governing(), await inner(), governing()]);
    expect(await outer()).toEqual(["slow", "lossy", "slow"]);
  });

  it("200 concurrent tasks with shuffled awaits see their own scope only", async () => {
    const { fault, registry } = layer;
    const wrapped = Array.from({ length: 200 }, (_, n) => {
      registry.register(`task-${n}`, { latency: `${n + 1}ms` });
      return fault(`task-${n}`)(async () => {
        for (let round = 0; round < 5; round++) {
          await ((n * 13 + round * 5) % 4 === 0 ? turn() : Promise.resolve());
          if (governing() !== `task-${n}`) return false;
        }
        return true;
      });
    });
    expect((await Promise.all(wrapped.map((task) => task()))).every(Boolean)).toBe(true);
  });

  it("work that outlives its scope runs in the scope around it", async () => {
    const { fault } = layer;
    let late: Promise<string | undefined> = Promise.resolve("unset");
    const inner = fault("lossy")(() => {
      late = turn().then(governing);
    });
    const outer = fault("slow")(async () => {
      inner();
      return late;
    });
    expect(await outer()).toBe("slow");
  });

  it("abandoned work ends at reset", async () => {
    const { fault, reset, manager } = layer;
    void fault("slow")(() => new Promise(() => {}))();
    expect(manager.liveCount()).toBe(1);
    reset();
    expect(manager.liveCount()).toBe(0);
  });
});

describe('callback: "last"', () => {
  it("ends the scope when the callback is called, which runs in the caller's context", async () => {
    const { fault, manager } = layer;
    const read = fault("slow", { callback: "last" })((path: string, callback: (error: null, text: string) => void) => {
      setImmediate(() => callback(null, `${path} in ${governing()}`));
    });
    const outer = fault("lossy")(async () => {
      const seen: unknown[] = [];
      await new Promise<void>((resolve) => {
        read("file", (_, text) => {
          seen.push(text, governing(), manager.liveCount());
          resolve();
        });
      });
      return seen;
    });
    expect(await outer()).toEqual(["file in slow", "lossy", 1]);
  });

  it("works with promisify", async () => {
    const read = layer.fault("slow", { callback: "last" })((callback: (error: null, name: string | undefined) => void) => {
      setImmediate(() => callback(null, governing()));
    });
    expect(await promisify(read)()).toBe("slow");
  });

  it("ends the scope when the function throws, and follows the usual rules without a callback", () => {
    const wrapped = layer.fault("slow", { callback: "last" })((given?: () => void): string | undefined => {
      if (given !== undefined) throw new Error("refused");
      return governing();
    });
    expect(() => wrapped(() => {})).toThrow("refused");
    expect(wrapped()).toBe("slow");
  });
});

describe("fault() refuses", () => {
  it("unknown options, with a suggestion", () => {
    expect(() => layer.fault("slow", { mising: "throw" } as never)).toThrow(/did you mean missing\?/);
    expect(() => layer.fault("slow", { callback: "first" } as never)).toThrow(expect.objectContaining({ path: "callback" }));
  });

  it("a function in the place of a name", () => {
    expect(() => layer.fault((() => {}) as never)).toThrow(expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_USE" }));
  });

  it("an empty name", () => {
    expect(() => layer.fault(" ")).toThrow(expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_NAME" }));
  });
});
