import { describe, expect, it } from "vitest";
import { formatReport } from "../../../src/scope/format-report.ts";
import type { FlowReport } from "../../../src/scope/flow-report.ts";
import type { ScopeReport } from "../../../src/scope/report.ts";

const flow: FlowReport = {
  target: "api.example:443",
  flow: 0,
  hostname: "api.example",
  guessed: false,
  address: "10.0.0.1",
  port: 443,
  governed: true,
  matched: "host name",
  leftAlone: null,
  skipped: 0,
  rule: { index: 1, text: "*.example" },
  events: 4,
};

const report: ScopeReport = {
  policy: "slow_link",
  scope: 3,
  ordinal: 0,
  seed: "7",
  state: "ended",
  injected: 5,
  flows: [
    flow,
    { ...flow, target: "127.0.0.1:#0", flow: -1, governed: false, matched: null, leftAlone: "it was open before", rule: null, events: 0 },
  ],
  faults: {
    latency: { count: 4, delayMs: 200, maxDelayMs: 50, held: 0, measured: { count: 4, meanMs: 50.31, maxMs: 50.94 }, codes: {} },
    connection_error: { count: 1, delayMs: 0, maxDelayMs: 0, held: 0, measured: null, codes: { ECONNRESET: 1 } },
  },
  unmatchedRules: [{ index: 0, text: "10.9.0.0/16" }],
  silentFaults: ["packet_loss"],
  skipped: 0,
  unsteered: 1,
  shared: false,
  lateness: { count: 4, meanMs: 0.314, maxMs: 0.94 },
  events: { recorded: 5, kept: 5, dropped: 0 },
};

describe("formatReport()", () => {
  it("shows what was injected, and what was not, in aligned lines", () => {
    expect(formatReport(report)).toBe(
      [
        "slow_link (scope 3, application 0, seed 7), ended: 5 injected",
        "  faults  latency           4 events, asked for 200 ms (most 50 ms), measured mean 50.3 ms, most 50.9 ms",
        "          connection_error  1 event, ECONNRESET x1",
        "  silent  packet_loss: never acted",
        "  flows   api.example:443 (0)  governed: host name, by rule 1: *.example, 4 events",
        "          127.0.0.1:#0 (-1)    left alone: it was open before",
        "  rules   0: 10.9.0.0/16 matched nothing",
        "  notes   1 socket opened before steering began: not faulted",
        "  clock   4 waits, late by 0.31 ms (mean), 0.94 ms (most)",
      ].join("\n"),
    );
  });

  it("takes a report that went through JSON", () => {
    expect(formatReport(JSON.parse(JSON.stringify(report)) as ScopeReport)).toBe(formatReport(report));
  });

  it("lists twenty flows, and counts the others", () => {
    const lines = formatReport({ ...report, flows: Array.from({ length: 23 }, (_, n) => ({ ...flow, flow: n })) }).split("\n");
    expect(lines.filter((line) => line.includes("api.example:443"))).toHaveLength(20);
    expect(lines.some((line) => line.endsWith("and 3 more"))).toBe(true);
  });
});
