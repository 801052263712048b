import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ReadError } from "../../../src/internal/read-error.ts";
import * as units from "../../../src/internal/units.ts";
import { compilePolicy } from "../../../src/policy/compile.ts";
import { parsePolicy } from "../../../src/policy/parse.ts";
import { PolicyRegistry } from "../../../src/policy/registry.ts";
import { caught } from "./caught.ts";

interface Cases {
  readonly units: Readonly<Record<string, readonly (readonly [string, number | string | null])[]>>;
  readonly accept: readonly { readonly why: string; readonly fields: Record<string, unknown> }[];
  readonly reject: readonly { readonly path: string; readonly fields: Record<string, unknown>; readonly why?: string }[];
  readonly names: { readonly accept: readonly string[]; readonly reject: readonly string[] };
}

const read = (name: string): unknown => JSON.parse(readFileSync(new URL(`../../fixtures/conformance/${name}`, import.meta.url), "utf8"));
const cases = read("policy-cases.json") as Cases;

const parsers: Readonly<Record<string, (text: unknown) => number | bigint>> = {
  durationNs: units.parseDurationNs,
  rateBps: units.parseRateBps,
  sizeBytes: units.parseSizeBytes,
  probabilityPpm: units.parseProbabilityPpm,
  seed: units.parseSeed,
};

describe("units of the conformance file", () => {
  for (const [unit, rows] of Object.entries(cases.units)) {
    const parse = parsers[unit]!;
    it.each(rows.filter(([, value]) => value !== null))(`${unit} of %j is %j`, (text, value) => {
      expect(String(parse(text))).toBe(String(value));
    });

    it.each(rows.filter(([, value]) => value === null))(`${unit} of %j is an error`, (text) => {
      expect(() => parse(text)).toThrow(ReadError);
    });
  }
});

describe("policies of the conformance file", () => {
  it.each(cases.accept)("accepts $why", ({ fields }) => {
    expect(parsePolicy(fields).source).toEqual(fields);
    expect(compilePolicy(fields, "a").name).toBe("a");
  });

  it.each(cases.reject)("rejects $fields at $path", ({ fields, path }) => {
    const error = caught(() => parsePolicy(fields, "slow"));
    expect(error).toMatchObject({ code: "ERR_FAULTCORE_INVALID_POLICY", path, policy: "slow" });
    expect(error.expected).toBeTruthy();
    expect(error.message).toContain(`Invalid policy "slow": ${path}: `);
    expect(error.message).not.toMatch(/undefined|\[object|invalid input/i);
  });

  it("accepts the policy of the Python tool's seed", () => {
    const seed = read("seed-policies.json") as Record<string, Record<string, unknown>>;
    const compiled = compilePolicy(seed["policy_name"]!, "policy_name");
    expect(compiled.faults.uplink).toMatchObject({ latencyNs: 7e6, jitterNs: 3e6, lossPpm: 2000, burst: 2, rateBps: 1e6 });
  });
});

describe("names of the conformance file", () => {
  it.each(cases.names.accept)("accepts %j", (name) => {
    const registry = new PolicyRegistry();
    registry.register(name, {});
    expect(registry.list()).toEqual([name]);
  });

  it.each(cases.names.reject)("rejects %j", (name) => {
    expect(caught(() => new PolicyRegistry().register(name, {})).code).toBe("ERR_FAULTCORE_INVALID_NAME");
  });
});
