import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { makeLayer, turn, type Layer } from "./helpers.ts";

let layer: Layer;

beforeEach(() => {
  layer = makeLayer();
});

afterEach(() => {
  layer.expectQuiet();
});

describe("policyContext().run", () => {
  it("selects for a synchronous body and restores at return", () => {
    const { policyContext, getContextPolicy } = layer;
    expect(policyContext("slow").run(() => getContextPolicy())).toBe("slow");
    expect(getContextPolicy()).toBe(null);
  });

  it("restores when the body throws", () => {
    const { policyContext, getContextPolicy } = layer;
    const fail = (): never => {
      throw new Error("body");
    };
    expect(() => policyContext("slow").run(fail)).toThrow("body");
    expect(getContextPolicy()).toBe(null);
  });

  it("selects until the promise of an asynchronous body settles", async () => {
    const { policyContext, getContextPolicy } = layer;
    const seen: (string | null)[] = [];
    const done = policyContext("slow").run(async () => {
      await turn();
      seen.push(getContextPolicy());
    });
    seen.push(getContextPolicy());
    await done;
    expect(seen).toEqual([null, "slow"]);
  });

  it("restores when an asynchronous body rejects", async () => {
    const { policyContext, getContextPolicy } = layer;
    const rejected = policyContext("slow").run(async () => {
      await turn();
      throw new Error("late");
    });
    await expect(rejected).rejects.toThrow("late");
    expect(getContextPolicy()).toBe(null);
  });

  it("selects in every step of an async generator", async () => {
    const { policyContext, getContextPolicy } = layer;
    const names = policyContext("slow").run(async function* () {
      yield getContextPolicy();
      await turn();
      yield getContextPolicy();
    });
    const seen: (string | null)[] = [];
    for await (const name of names) seen.push(name, getContextPolicy());
    expect(seen).toEqual(["slow", null, "slow", null]);
  });

  it("nests and restores the selection around it", async () => {
    const { policyContext, getContextPolicy } = layer;
    await policyContext("slow").run(async () => {
      await policyContext("lossy").run(async () => {
        await turn();
        expect(getContextPolicy()).toBe("lossy");
      });
      expect(getContextPolicy()).toBe("slow");
    });
  });

  it("is taken back from work that outlives the body", async () => {
    const { policyContext, getContextPolicy } = layer;
    let late: Promise<string | null> = Promise.resolve("unset");
    await policyContext("slow").run(async () => {
      await policyContext("lossy").run(async () => {
        late = turn().then(turn).then(getContextPolicy);
      });
      expect(await late).toBe("slow");
    });
    expect(getContextPolicy()).toBe(null);
  });

  it("never leaks between 200 concurrent tasks", async () => {
    const { policyContext, getContextPolicy } = layer;
    const task = async (n: number): Promise<boolean> => {
      for (let round = 0; round < 5; round++) {
        await ((n * 7 + round) % 3 === 0 ? turn() : Promise.resolve());
        if (getContextPolicy() !== `task-${n}`) return false;
      }
      return true;
    };
    const results = await Promise.all(Array.from({ length: 200 }, (_, n) => policyContext(`task-${n}`).run(() => task(n))));
    expect(results.every(Boolean)).toBe(true);
  });

  it("takes inline fields, which are not listed and gone on exit", () => {
    const { policyContext, getContextPolicy, registry } = layer;
    policyContext({ latency: "10ms" }).run(() => {
      expect(getContextPolicy()).toMatch(/^inline:[0-9a-f]{8}$/);
      expect(registry.list()).toEqual(["lossy", "slow"]);
    });
    expect(getContextPolicy()).toBe(null);
  });

  it("opens no scope", () => {
    layer.policyContext("slow").run(() => {});
    expect(layer.host.begun).toEqual([]);
  });
});

describe("policyContext() refuses", () => {
  it("a name and fields together", () => {
    const both = layer.policyContext as (...args: unknown[]) => unknown;
    expect(() => both("slow", { latency: "1ms" })).toThrow(expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_ARGUMENT" }));
  });

  it.each([
    ["an empty name", "", "ERR_FAULTCORE_INVALID_NAME"],
    ["auto", "auto", "ERR_FAULTCORE_INVALID_NAME"],
    ["a number", 5, "ERR_FAULTCORE_INVALID_ARGUMENT"],
    ["null", null, "ERR_FAULTCORE_INVALID_ARGUMENT"],
    ["a list", [], "ERR_FAULTCORE_INVALID_ARGUMENT"],
    ["bad fields", { latency: "50" }, "ERR_FAULTCORE_INVALID_POLICY"],
  ])("%s, when it is made", (_, value, code) => {
    expect(() => layer.policyContext(value as string)).toThrow(expect.objectContaining({ code }));
  });
});

describe("policyContext() with using", () => {
  it("selects from the declaration to the end of the block", () => {
    const { policyContext, getContextPolicy } = layer;
    {
      using context = policyContext("slow");
      expect(context.policy).toBe("slow");
      expect(getContextPolicy()).toBe("slow");
    }
    expect(getContextPolicy()).toBe(null);
  });

  it("selects in an async body, and what still sees it afterwards reads the selection around it", async () => {
    const { policyContext, getContextPolicy } = layer;
    const body = async (): Promise<void> => {
      await using _ = policyContext("lossy");
      await turn();
      expect(getContextPolicy()).toBe("lossy");
    };
    await policyContext("slow").run(async () => {
      const done = body();
      // Documented: until disposal, an async function that has not awaited yet selects for its caller too.
      expect(getContextPolicy()).toBe("lossy");
      await done;
      expect(getContextPolicy()).toBe("slow");
    });
  });

  it("restores when the block throws", () => {
    const { policyContext, getContextPolicy } = layer;
    const body = (): void => {
      using _ = policyContext("slow");
      throw new Error("block");
    };
    expect(body).toThrow("block");
    expect(getContextPolicy()).toBe(null);
  });

  it("selects nothing for who only makes it", () => {
    layer.policyContext("slow");
    expect(layer.getContextPolicy()).toBe(null);
  });
});

describe("setContextPolicy", () => {
  it("selects until reset, and null selects none", () => {
    const { setContextPolicy, getContextPolicy, reset } = layer;
    setContextPolicy("slow");
    expect(getContextPolicy()).toBe("slow");
    setContextPolicy(null);
    expect(getContextPolicy()).toBe(null);
    setContextPolicy("lossy");
    reset();
    expect(getContextPolicy()).toBe(null);
  });

  it("lasts no longer than the context around it", async () => {
    const { policyContext, setContextPolicy, getContextPolicy } = layer;
    let late: Promise<string | null> = Promise.resolve(null);
    await policyContext("slow").run(async () => {
      setContextPolicy("lossy");
      await turn();
      expect(getContextPolicy()).toBe("lossy");
      late = turn().then(turn).then(getContextPolicy);
    });
    expect(getContextPolicy()).toBe(null);
    expect(await late).toBe(null);
  });

  it("does not leak out of a task that has awaited", async () => {
    const { policyContext, setContextPolicy, getContextPolicy } = layer;
    await policyContext("slow").run(async () => {
      await Promise.all([
        turn().then(() => setContextPolicy("lossy")),
        turn()
          .then(turn)
          .then(() => expect(getContextPolicy()).toBe("slow")),
      ]);
      expect(getContextPolicy()).toBe("slow");
    });
  });

  it("refuses fields and names that cannot be", () => {
    const set = layer.setContextPolicy as (value: unknown) => void;
    expect(() => set({ latency: "1ms" })).toThrow(expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_ARGUMENT" }));
    expect(() => set("")).toThrow(expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_NAME" }));
  });
});
