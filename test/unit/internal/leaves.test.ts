import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { describeValue, quote } from "../../../src/internal/describe.ts";
import { didYouMean } from "../../../src/internal/did-you-mean.ts";
import { fnv1a64 } from "../../../src/internal/hash.ts";
import { findJsonProblem } from "../../../src/internal/json-source.ts";
import { copyPlain } from "../../../src/internal/plain-copy.ts";
import { ReadError } from "../../../src/internal/read-error.ts";

describe("describeValue", () => {
  it.each([
    [null, "null"],
    [undefined, "nothing"],
    [[1], "a list"],
    [{}, "a mapping"],
    ["  ", "an empty text"],
    ["x", 'the text "x"'],
    [NaN, "NaN"],
    [5, "the number 5"],
    [5n, "the bigint 5n"],
    [true, "true"],
    [() => 1, "a function"],
    [Symbol("x"), "a symbol"],
  ])("names %s", (value, text) => {
    expect(describeValue(value)).toBe(text);
  });

  it("cuts long texts and escapes line ends", () => {
    expect(quote("a\nb")).toBe('"a\\nb"');
    expect(quote("x".repeat(1000)).length).toBeLessThan(70);
  });
});

describe("didYouMean", () => {
  const known = ["latency", "jitter", "packetLoss", "rate", "on", "off"];
  it.each([
    ["latncy", "latency"],
    ["latecny", "latency"],
    ["Latency", "latency"],
    ["packet-loss", "packetLoss"],
    ["PACKET_LOSS", "packetLoss"],
    ["rates", "rate"],
    ["bandwidth", undefined],
    ["", undefined],
    ["x".repeat(100), undefined],
  ])("%j was meant to be %s", (word, meant) => {
    expect(didYouMean(word, known)).toBe(meant);
  });
});

describe("fnv1a64", () => {
  // Test vectors of the algorithm's authors.
  it.each([
    ["", 0xcbf29ce484222325n],
    ["a", 0xaf63dc4c8601ec8cn],
    ["foobar", 0x85944171f73967e8n],
  ])("hashes %j", (text, hash) => {
    expect(fnv1a64(text)).toBe(hash);
  });
});

describe("copyPlain", () => {
  it("copies deeply and shares nothing", () => {
    const input = { a: [{ b: 1n }], c: null, d: undefined };
    const copy = copyPlain(input) as typeof input;
    expect(copy).toEqual(input);
    expect(copy.a[0]).not.toBe(input.a[0]);
  });

  it("takes objects without a prototype and of other realms", async () => {
    const { runInNewContext } = await import("node:vm");
    expect(copyPlain(Object.assign(Object.create(null), { a: 1 }))).toEqual({ a: 1 });
    expect(copyPlain(runInNewContext("({ a: [1] })"))).toEqual({ a: [1] });
  });

  it("keeps a key named __proto__ a key", () => {
    const copy = copyPlain(JSON.parse('{"__proto__": {"polluted": 1}}')) as object;
    expect(Object.keys(copy)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
    expect("polluted" in copy).toBe(false);
  });

  it("reads a getter once", () => {
    let reads = 0;
    const input = Object.defineProperty({}, "a", { enumerable: true, get: () => (reads += 1) });
    expect(copyPlain(input)).toEqual({ a: 1 });
    expect(reads).toBe(1);
  });

  const cyclic: Record<string, unknown> = {};
  cyclic["self"] = cyclic;
  const trap = new Proxy(
    {},
    {
      ownKeys: () => {
        throw new Error("no");
      },
    },
  );
  it.each([
    ["a cycle", { a: cyclic }, "contains itself"],
    // oxlint-disable-next-line no-sparse-arrays -- a hole is what is tested
    ["a hole", { a: [1, , 2] }, "is a hole"],
    ["a huge list of holes", { a: Array.from({ length: 1 }).concat(Array(4e9)) }, "hole"],
    ["a class instance", { a: new Date(0) }, "an instance of Date"],
    ["inherited fields", Object.create({ a: 1 }), "got"],
    ["a function", { a: () => 1 }, "a function"],
    ["a symbol", { a: Symbol("x") }, "a symbol"],
    ["a proxy that throws", { a: trap }, "cannot be read"],
    ["too many values", { a: Array.from({ length: 200_000 }, () => 1) }, "more than"],
  ])("refuses %s", (_, input, message) => {
    expect(() => copyPlain(input)).toThrow(ReadError);
    expect(() => copyPlain(input)).toThrow(message);
  });

  it("says where a getter throws", () => {
    const list = [Object.defineProperty({}, "a", { enumerable: true, get: () => JSON.parse("{") as unknown })];
    expect(() => copyPlain({ list })).toThrow(expect.objectContaining({ path: ["list", 0, "a"] }));
  });
});

/** What JSON.parse says; a duplicate key is found before a syntax error that comes later, and is then right in any case. */
function verdict(json: string, message: string | undefined): string {
  if (message?.includes("given twice") === true) return "valid";
  try {
    JSON.parse(json);
    return "valid";
  } catch {
    return "invalid";
  }
}

describe("findJsonProblem", () => {
  it.each([
    ['{"a": 1,\n "a": 2}', 2, 2, 'the key "a" is given twice'],
    ['{"a": {"b": 1, "\\u0062": 2}}', 1, 16, 'the key "b" is given twice'],
    ['{\r\n"a": 1,\r\n}', 3, 1, 'found "}" where a key in double quotes is expected'],
    ["{'a': 1}", 1, 2, "a key in double quotes"],
    ['{"a": 01}', 1, 8, "a comma or }"],
    ['{"a": "x', 1, 7, "a text has no end"],
    ['{"a": "x\ny"}', 1, 9, "control character"],
    ['{"a": "\\x"}', 1, 8, "unknown escape"],
    ["[1, 2", 1, 6, "the file ends where a comma or ] is expected"],
    ["", 1, 1, "the file ends where a value is expected"],
    ["{} {}", 1, 4, "the end of the file"],
    ["{} // no", 1, 4, "the end of the file"],
    ['{"a": NaN}', 1, 7, "a value"],
    ["[".repeat(500), 1, 202, "nested too deeply"],
  ])("finds what is wrong with %j", (text, line, column, message) => {
    expect(findJsonProblem(text)).toEqual({ line, column, message: expect.stringContaining(message) as string });
  });

  it("accepts what JSON.parse accepts, and nothing else", () => {
    const noise = fc.oneof(fc.constantFrom("", ",", "}", "]", '"', "\\", "1", ":", " ", "\t", "e", "-", "null"), fc.string());
    const text = fc.tuple(fc.json({ maxDepth: 4 }), fc.nat(), noise).map(([json, at, extra]) => {
      const index = at % (json.length + 1);
      return json.slice(0, index) + extra + json.slice(index);
    });
    fc.assert(
      fc.property(text, (json) => {
        const message = findJsonProblem(json)?.message;
        // Duplicate keys are the one thing that JSON.parse lets through.
        expect(message === undefined || message.includes("given twice") ? "valid" : "invalid").toBe(verdict(json, message));
      }),
      { numRuns: 300 },
    );
  });
});
