import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { FAULT_IDS } from "../../../src/engine/registry.ts";

const root = fileURLToPath(new URL("../../../", import.meta.url));

/** Two faults that are told on the page, and tested in the file, of the one that they belong to. */
const TOLD_WITH: Readonly<Record<string, string>> = { burst_loss: "packet-loss" };

/** Some tests are named by what they test of a direction or a flow, not by the fault. */
const TESTED_IN: Readonly<Record<string, string>> = {
  latency: "direction",
  jitter: "direction",
  rate: "direction",
  packet_loss: "loss",
  burst_loss: "loss",
  timeout: "connect",
  connection_error: "connect",
  half_open: "session-limits",
  session_budget: "session-limits",
};

describe("each fault of the registry", () => {
  it.each(Object.keys(FAULT_IDS))("%s has its file, its test and its page", (fault) => {
    const name = fault.replaceAll("_", "-");
    const paths = [
      `src/engine/faults/${name}.ts`,
      `test/unit/engine/${TESTED_IN[fault] ?? name}.test.ts`,
      `docs/faults/${TOLD_WITH[fault] ?? name}.md`,
    ];
    expect(paths.filter((path) => !existsSync(join(root, path)))).toEqual([]);
  });

  it("has a number of its own that fits into the counter", () => {
    const ids = Object.values(FAULT_IDS);
    expect(new Set(ids).size).toBe(ids.length);
    expect(Math.max(...ids)).toBeLessThanOrEqual(255);
  });
});
