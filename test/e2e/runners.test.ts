// The helpers for test runners, in the example projects and in what only tests need, each runner started once. The examples are told to
// show their failing test too.
import { existsSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";
import type { Ended } from "../helpers/programs.ts";
import { node } from "../helpers/programs.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));
const example = (name: string): string => join(root, "examples", name);
const fixtures = (name: string): string => join(root, "test", "fixtures", "runners", name);
const tool = (...path: string[]): string => join(root, "node_modules", ...path);
const LIMIT_MS = 100_000;
const SHOW_FAILURE = { SHOW_FAILURE: "1", NO_COLOR: "1", CI: "1" };

/** What `npm install` makes of `"faultcore": "file:../.."`; everything else is found in the repository's own node_modules. */
function linkPackage(project: string): void {
  const modules = join(example(project), "node_modules");
  mkdirSync(modules, { recursive: true });
  if (!existsSync(join(modules, "faultcore"))) symlinkSync("../../..", join(modules, "faultcore"), "dir");
}

interface Run {
  readonly ended: Ended;
  readonly output: string;
}

async function run(project: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Run> {
  const ended = await node(args, { cwd: example(project), env: { ...SHOW_FAILURE, ...env }, killAfterMs: LIMIT_MS });
  return { ended, output: ended.stdout + ended.stderr };
}

/** What a failing test prints: the seed, the scope's report, how to have the same again. */
function noteIn(output: string): { seed: string; title: string; injected: number } {
  const [, seed = ""] = /Faults in this test, seed (\d+):/.exec(output) ?? [];
  const [, injected = ""] = /inline:\w+ .*\b(\d+) injected\b/.exec(output) ?? [];
  expect(output).toMatch(/connection_error +\d+ events/);
  const [, again = "", title = ""] = /FAULTCORE_SEED=(\d+) .*"(needs [^"]*)"/.exec(output) ?? [];
  expect(seed).not.toBe("");
  expect(again).toBe(seed);
  return { seed, title, injected: Number(injected) };
}

/** How each of the 40 calls of the failing test ended. */
function outcomesIn(output: string): string {
  return /'([+-]{40})'|Received: +"([+-]{40})"/.exec(output)?.slice(1).find(Boolean) ?? "";
}

let vitest: Run;
let jest: Run;
let nodeTest: Run;

const NODE_TEST = ["--test", "--test-reporter=spec"];

beforeAll(async () => {
  for (const project of ["vitest", "jest", "node-test"]) linkPackage(project);
  const nodeFiles = [
    "inventory.test.mjs",
    ...["fake-timers", "fake-timers-first"].map((name) => join(fixtures("node"), `${name}.test.mjs`)),
  ];
  [vitest, jest, nodeTest] = await Promise.all([
    run("vitest", [tool("vitest", "vitest.mjs"), "run", "--config", join(fixtures("vitest"), "vitest.config.ts")]),
    run("jest", [tool("jest", "bin", "jest.js"), "--runInBand", "--projects", ".", fixtures("jest")], {
      NODE_OPTIONS: "--experimental-vm-modules",
    }),
    run("node-test", [...NODE_TEST, ...nodeFiles]),
  ]);
}, LIMIT_MS);

describe("faultcore/vitest", () => {
  it("passes the example's tests and those of every pool, and fails only the one that is wrong", () => {
    expect(vitest.output).toContain("Tests  1 failed | 55 passed (56)");
    expect(vitest.output).toContain("FAIL  |orders| orders.test.ts > needs no second attempt (which is wrong)");
    expect(vitest.ended.code).toBe(1);
  });

  it("prints the seed, the report and how to run it again with the failure", () => {
    const { seed, title, injected } = noteIn(vitest.output);
    expect(injected).toBe(outcomesIn(vitest.output).split("-").length - 1);
    expect(vitest.output).toContain(`FAULTCORE_SEED=${seed} npx vitest run orders.test.ts -t "${title}"`);
  });
});

describe("faultcore/jest", () => {
  it("passes the tests of both kinds of modules in one worker, and fails only the one that is wrong", () => {
    expect(jest.output).toContain("Tests:       1 failed, 12 passed, 13 total");
    expect(jest.output).toContain("● needs no fallback (which is wrong)");
    expect(jest.output).not.toContain("did not exit");
    expect(jest.ended.code).toBe(1);
  });

  it("prints the seed, the report and how to run it again with the failure", () => {
    const { seed, title, injected } = noteIn(jest.output);
    expect(injected).toBe(outcomesIn(jest.output).split("-").length - 1);
    expect(jest.output).toContain(`FAULTCORE_SEED=${seed} npx jest weather.test.js -t "${title}"`);
  });
});

describe("faultcore/node-test", () => {
  it("passes the example's tests, with fake timers too, and fails only the one that is wrong", () => {
    expect(nodeTest.output).toMatch(/^ℹ pass 7\nℹ fail 1$/m);
    expect(nodeTest.output).toMatch(/^✖ needs no second attempt \(which is wrong\)/m);
    expect(nodeTest.ended.code).toBe(1);
  });

  it("prints the seed and the report, and the same again with that seed and pattern", async () => {
    const { seed, title, injected } = noteIn(nodeTest.output);
    expect(injected).toBe(outcomesIn(nodeTest.output).split("-").length - 1);
    expect(nodeTest.output).toContain(`FAULTCORE_SEED=${seed} node --test --test-name-pattern="${title}" inventory.test.mjs`);
    const again = await run("node-test", [...NODE_TEST, `--test-name-pattern=${title}`, "inventory.test.mjs"], { FAULTCORE_SEED: seed });
    expect(outcomesIn(again.output)).toBe(outcomesIn(nodeTest.output));
    expect(again.output).toMatch(/^ℹ pass 0\nℹ fail 1$/m);
  });
});
