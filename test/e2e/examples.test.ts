// The examples end well, say what docs/examples.md says that they say, and are as short as the README promises.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import { node } from "../helpers/programs.ts";
import type { Ended } from "../helpers/programs.ts";

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

const NAMES = ["retry-backoff", "pool-half-open", "circuit-breaker", "dns-failover", "grpc-deadline", "upload-3g"] as const;

const run = (name: string): Promise<Ended> => node([`${root}examples/${name}.mjs`], { cwd: root });

// At once: they wait more than they compute. What is too late for its claim on a busy machine is run again, by itself.
const together = new Map<string, Promise<Ended>>();
beforeAll(async () => {
  for (const name of NAMES) together.set(name, run(name));
  await Promise.allSettled(together.values());
});

describe("Examples", () => {
  for (const name of NAMES) {
    it(`${name} shows what it claims, in 40 lines at most, and is quoted`, async () => {
      const first = await together.get(name);
      const { code, stdout, stderr } = first?.code === 0 ? first : await run(name);
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(withoutTimes(stdout)).toBe(withoutTimes(printed.get(name) ?? ""));
      expect(read(`examples/${name}.mjs`).trimEnd().split("\n").length).toBeLessThanOrEqual(40);
      expect(read("README.md")).toContain(`(examples/${name}.mjs)`);
    });
  }
});
