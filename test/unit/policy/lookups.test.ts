import { describe, expect, it } from "vitest";
import { parsePolicy } from "../../../src/policy/parse.ts";
import { judgeLookup } from "../../../src/policy/targets.ts";
import type { TargetRule } from "../../../src/policy/types.ts";

function rules(...targets: unknown[]): readonly TargetRule[] {
  return parsePolicy({ latency: "1ms", targets }).fields.targets!;
}

describe("judging a lookup", () => {
  const lookup = (targets: unknown[], hostname: string): { governs: boolean; rule: number } => judgeLookup(rules(...targets), hostname);

  it("goes by host name rules without port and protocol, and by no others", () => {
    const others = [
      "10.0.0.1",
      "api.example:443",
      "tcp://api.example",
      { sni: "api.example" },
      { hostname: "api.example", protocol: "udp" },
    ];
    expect(lookup(others, "api.example")).toEqual({ governs: false, rule: -1 });
    expect(lookup([...others, "*.example"], "API.example.")).toEqual({ governs: true, rule: 5 });
    expect(lookup([...others, "*.example"], "example")).toEqual({ governs: false, rule: -1 });
  });

  it("honours priorities and exclusions among them", () => {
    expect(lookup(["*.example", { hostname: "api.example", exclude: true }], "api.example")).toEqual({ governs: false, rule: 1 });
    const port = { hostname: "api.example", port: 443, exclude: true, priority: 200 };
    expect(lookup(["*.example", port], "api.example")).toEqual({ governs: true, rule: 0 });
  });

  it("touches every lookup where there are no rules", () => {
    expect(judgeLookup(undefined, "api.example")).toEqual({ governs: true, rule: -1 });
  });
});
