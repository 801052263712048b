import { promisify, types } from "node:util";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeHost, governing, makeLayer, type Layer } from "./helpers.ts";

let layer: Layer;

beforeEach(() => {
  layer = makeLayer();
});

afterEach(() => {
  layer.expectQuiet();
});

describe("a wrapped function", () => {
  it("keeps name, length and this", () => {
    const object = {
      base: 40,
      add(this: { base: number }, a: number, b: number): number {
        return this.base + a + b;
      },
    };
    const wrapped = layer.fault("slow")(object.add);
    expect([wrapped.name, wrapped.length]).toEqual(["add", 2]);
    expect(wrapped.call(object, 1, 1)).toBe(42);
  });

  it("keeps properties, also those that come later", () => {
    const original = Object.assign(() => 1, { title: "a" });
    const wrapped = layer.fault("slow")(original);
    original.title = "b";
    expect(wrapped.title).toBe("b");
    expect(wrapped).toBeInstanceOf(Function);
  });

  it("of an async function looks like one by its constructor", () => {
    const original = async (): Promise<void> => {};
    expect(layer.fault("slow")(original).constructor).toBe(original.constructor);
    expect(types.isAsyncFunction(original)).toBe(true);
  });

  it("may be a mock", () => {
    const mock = vi.fn<(n: number) => number>((n) => n + 1);
    const wrapped = layer.fault("slow")(mock);
    expect(wrapped(1)).toBe(2);
    expect(wrapped.mock.calls).toEqual([[1]]);
  });

  it("is faulted through promisify too", async () => {
    const original = Object.assign(() => {}, { [promisify.custom]: async () => governing() });
    expect(await promisify(layer.fault("slow")(original))()).toBe("slow");
  });

  it("can be wrapped again: the inner policy governs", () => {
    expect(layer.fault("slow")(layer.fault("lossy")(governing))()).toBe("lossy");
  });
});

describe("a wrapper refuses", () => {
  it.each([
    ["a class", FakeHost],
    ["a number", 5],
    ["nothing", undefined],
    ["an object", {}],
  ])("%s", (_, value) => {
    const wrap = layer.latency("1ms") as (value: unknown) => unknown;
    expect(() => wrap(value)).toThrow(expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_USE" }));
    expect(() => wrap(value)).toThrow(/^latency\(\) wraps a function/);
  });
});
