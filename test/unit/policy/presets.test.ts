import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { compiledPreset, presetFields, presets } from "../../../src/policy/presets.ts";
import { PolicyRegistry } from "../../../src/policy/registry.ts";
import { Policies } from "../../../src/scope/policies.ts";

const KBPS = 1000;
const MS = 1e6;

describe("presets", () => {
  it("are valid policies with a name, a description and a source", () => {
    const names = presets().map(({ name, description, source }) => {
      expect(description).not.toBe("");
      expect(source).not.toBe("");
      expect(compiledPreset(name)?.name).toBe(name);
      return name;
    });
    expect(new Set(names).size).toBe(names.length);
    expect(names).toContain("preset:wpt-3g");
  });

  it("halve a round trip, and share one link", () => {
    const faults = compiledPreset("preset:wpt-3g")!.faults;
    expect(faults).toMatchObject({
      downlink: { rateBps: 1600 * KBPS, latencyNs: 150 * MS, lossPpm: 0 },
      uplink: { rateBps: 768 * KBPS, latencyNs: 150 * MS, lossPpm: 0 },
      rateShare: "scope",
    });
  });

  it("take delays that are given for each direction as they are", () => {
    expect(compiledPreset("preset:atc-edge-lossy")!.faults).toMatchObject({
      downlink: { rateBps: 240 * KBPS, latencyNs: 400 * MS, lossPpm: 10_000 },
      uplink: { rateBps: 200 * KBPS, latencyNs: 440 * MS, lossPpm: 10_000 },
    });
  });

  it("are found by a registry, are not listed by it, and cannot be changed by who asks", () => {
    const registry = new PolicyRegistry();
    const fields = registry.get("preset:blackhole")!;
    fields.packetLoss = "1%";
    expect(presetFields("preset:blackhole")).toEqual({ packetLoss: "100%" });
    expect(registry.compiled("preset:blackhole")!.faults.uplink.lossPpm).toBe(1_000_000);
    expect(registry.list()).toEqual([]);
    expect(registry.compiled("preset:none")).toBeUndefined();
    expect(() => registry.register("preset:mine", {})).toThrow(expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_NAME" }));
  });

  it("are suggested for a misspelt name, and for one without its prefix", () => {
    const policies = new Policies(new PolicyRegistry());
    expect(() => policies.required("preset:wtp-3g", "it")).toThrow('Did you mean "preset:wpt-3g"?');
    expect(() => policies.required("wpt-3g", "it")).toThrow('Did you mean "preset:wpt-3g"?');
    expect(() => policies.required("preset:something-else-entirely", "it")).toThrow("listPresets()");
  });

  it("are all in the documentation, as they are described", () => {
    const page = readFileSync(new URL("../../../docs/presets.md", import.meta.url), "utf8");
    for (const { name, description } of presets()) expect(page).toContain(`| \`${name}\` | ${description} |`);
  });
});
