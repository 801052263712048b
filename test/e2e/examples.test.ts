// The examples end well, say what docs/examples.md says that they say, and are as short as the README promises.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { node } from "../helpers/programs.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string): string => readFileSync(`${root}${path}`, "utf8");

/** Of each example on the page, what it prints. */
const printed = new Map(
  [...read("docs/examples.md").matchAll(/^## \[([\w-]+)\].*?```text\n(.*?)```/gms)].map(([, name, text]) => [
    name as string,
    text as string,
  ]),
);

/** Times differ, and so do counts that depend on them. */
function withoutTimes(text: string): string {
  return text.replaceAll(/(after|about) \d+/g, "$1 …");
}

// At once: they wait more than they compute.
describe.concurrent("Examples", () => {
  for (const name of ["retry-backoff", "pool-half-open", "circuit-breaker", "dns-failover", "grpc-deadline", "upload-3g"]) {
    it(`${name} shows what it claims, in 40 lines at most, and is quoted`, async () => {
      const { code, stdout, stderr } = await node([`${root}examples/${name}.mjs`], { cwd: root });
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(withoutTimes(stdout)).toBe(withoutTimes(printed.get(name) ?? ""));
      expect(read(`examples/${name}.mjs`).trimEnd().split("\n").length).toBeLessThanOrEqual(40);
      expect(read("README.md")).toContain(`(examples/${name}.mjs)`);
    });
  }
});
