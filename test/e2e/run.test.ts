import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { echo } from "../helpers/peers.ts";
import { dist, fixture, jsonLines, start } from "../helpers/programs.ts";
import type { Ended, Program, ProgramOptions } from "../helpers/programs.ts";

let folder = "";
let policies = "";
beforeAll(() => {
  folder = join(mkdtempSync(join(tmpdir(), "faultcore-run-")), "with spaces");
  mkdirSync(folder);
  policies = file("policies.yaml", "slow:\n  latency: 50ms\nuneven:\n  latency: 1ms\n  jitter: 5ms\n");
});
afterAll(() => rmSync(join(folder, ".."), { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

const cli = (args: readonly string[], options?: ProgramOptions): Program =>
  start(process.execPath, [dist("cli/main.js"), ...args], options);
const run = (args: readonly string[], options?: ProgramOptions): Promise<Ended> => cli(["run", ...args], options).ended;
const slow = (...command: string[]): string[] => ["--policies", policies, "--policy", "slow", "--", process.execPath, ...command];

describe("faultcore run applies the policy", () => {
  for (const [whom, how] of Object.entries({
    "the program": "itself",
    "its Node child processes": "child",
    "its worker threads": "worker",
    "worker threads with execArgv: []": "bare worker",
  })) {
    it(`to ${whom}`, async () => {
      await using peer = await echo();
      const [result] = jsonLines<{ ms: number }>(await run(slow(fixture("round-trip"), String(peer.port), how)));
      // A connect and an echo: two round trips.
      expect(result?.ms).toBeGreaterThanOrEqual(200);
    });
  }
});

describe.concurrent("faultcore run passes through", () => {
  it("the exit code", async () => {
    expect(await run(slow(fixture("endings"), "exit", "0"))).toMatchObject({ code: 0, signal: null });
    expect(await run(slow(fixture("endings"), "exit", "23"))).toMatchObject({ code: 23, signal: null });
  });

  it("the signal that killed the program", async () => {
    expect(await run(slow(fixture("endings"), "kill", "SIGKILL"))).toMatchObject({ code: null, signal: "SIGKILL" });
    expect(await run(slow(fixture("endings"), "kill", "SIGTERM"))).toMatchObject({ code: null, signal: "SIGTERM" });
  });

  it("SIGTERM to the program, which may catch it", async () => {
    const caught = cli(["run", ...slow(fixture("endings"), "catch")]);
    await caught.printed("waiting");
    caught.child.kill("SIGTERM");
    expect(await caught.ended).toMatchObject({ code: 42, signal: null });
    const died = cli(["run", ...slow(fixture("endings"), "wait")]);
    await died.printed("waiting");
    died.child.kill("SIGTERM");
    expect(await died.ended).toMatchObject({ code: null, signal: "SIGTERM" });
  });

  it("Ctrl-C once, since the terminal gives it to the program too, also with its input redirected", async ({ skip }) => {
    if (process.platform !== "linux" || spawnSync("script", ["--version"]).error !== undefined) skip("needs script(1) of util-linux");
    const command = [process.execPath, dist("cli/main.js"), "run", ...slow(fixture("endings"), "ctrl-c")];
    const shell = `exec ${command.map((part) => `'${part}'`).join(" ")} < /dev/null`;
    const { stdout, ...ended } = await start("script", ["-qec", shell, "/dev/null"]).ended;
    expect(stdout).toContain("pressed 20x, interrupted 20x");
    expect(ended).toMatchObject({ code: 0, signal: null });
  });

  it("its exit code also when nobody reads what faultcore itself says", async () => {
    const unread = cli(["run", ...slow(fixture("endings"), "exit", "23")]);
    unread.child.stderr!.destroy();
    expect(await unread.ended).toMatchObject({ code: 23 });
    const help = cli(["run", "--help"]);
    help.child.stdout!.destroy();
    expect(await help.ended).toMatchObject({ code: 0, stderr: "" });
  });

  it("arguments, also those that look like its own options", async () => {
    const args = ["--policy", "x", "--seed", "--", "a b", "", "*"];
    expect(jsonLines(await run(slow(fixture("endings"), "argv", ...args)))).toEqual([args]);
  });

  it("NODE_OPTIONS that were there before", async () => {
    const ended = await run(slow(fixture("endings"), "options"), { env: { NODE_OPTIONS: "--title=mine --no-deprecation" } });
    const [result] = jsonLines<{ options: string; title: string }>(ended);
    expect(result).toMatchObject({ title: "mine", options: expect.stringMatching(/^--title=mine --no-deprecation --import=file:/) });
  });

  it("standard output untouched; the seed stands on standard error", async () => {
    const ended = await run([
      "--policies",
      policies,
      "--policy",
      "slow",
      "--seed",
      "0x10",
      "--",
      process.execPath,
      fixture("endings"),
      "print",
    ]);
    expect(ended).toEqual({ code: 0, signal: null, stdout: "on stdout\n", stderr: 'faultcore: policy "slow", seed 16\n' });
    expect((await run(slow(fixture("endings"), "print"))).stderr).toMatch(/^faultcore: policy "slow", seed \d+\n$/);
  });
});

describe.concurrent("faultcore run refuses, with one clear line, exit code 2 and the command not started", () => {
  const marked = ["--", process.execPath, "-e", 'console.log("started")'];
  const refusals: Record<string, [args: () => string[], says: RegExp]> = {
    "a policy file that does not exist": [() => ["--policies", join(folder, "none.yaml"), "--policy", "slow", ...marked], /none\.yaml/],
    "a policy file with a syntax error": [() => ["--policies", file("bad.yaml", "slow: [\n"), "--policy", "slow", ...marked], /bad\.yaml/],
    "a policy file with a bad value": [
      () => ["--policies", file("value.yaml", "slow:\n  latency: 50\n"), "--policy", "slow", ...marked],
      /value\.yaml.*slow.*latency/,
    ],
    "a policy file of an unknown kind": [
      () => ["--policies", file("policies.toml", "x=1"), "--policy", "slow", ...marked],
      /\.toml|\.yaml/,
    ],
    "an unknown policy": [() => ["--policies", policies, "--policy", "slwo", ...marked], /slwo/],
    "a bad seed": [() => ["--policies", policies, "--policy", "slow", "--seed", "abc", ...marked], /seed/],
    "a negative seed": [() => ["--policies", policies, "--policy", "slow", "--seed=-1", ...marked], /seed/],
    "no policy file": [() => ["--policy", "slow", ...marked], /--policies/],
    "no policy name": [() => ["--policies", policies, ...marked], /--policy/],
    "no command": [() => ["--policies", policies, "--policy", "slow"], /command/i],
    "an empty command": [() => ["--policies", policies, "--policy", "slow", "--", ""], /command/i],
    "a command that does not exist": [
      () => ["--policies", policies, "--policy", "slow", "--", "no-such-program-here"],
      /no-such-program-here/,
    ],
    "an unknown option": [() => ["--policies", policies, "--policy", "slow", "--sede", "1", ...marked], /--sede/],
  };
  for (const [what, [args, says]] of Object.entries(refusals)) {
    it(`for ${what}`, async () => {
      const { code, signal, stdout, stderr } = await run(args());
      expect({ code, signal, stdout }).toEqual({ code: 2, signal: null, stdout: "" });
      const lines = stderr
        .trimEnd()
        .split("\n")
        .filter((line) => !/^faultcore: policy "slow", seed \d+$|^\(Did you mean/.test(line));
      expect(lines).toEqual([expect.stringMatching(/^faultcore: /)]);
      expect(lines[0]).toMatch(says);
    });
  }

  it("for an unknown command", async () => {
    const { code, stdout, stderr } = await cli(["runn"]).ended;
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(/^faultcore: .*runn/);
  });
});

it("faultcore run reads a policy file with Windows line ends and a byte order mark", async () => {
  await using peer = await echo();
  for (const [name, text] of [
    ["windows.yaml", "\uFEFFslow:\r\n  latency: 50ms\r\n"],
    ["windows.json", '\uFEFF{\r\n  "slow": { "latency": "50ms" }\r\n}\r\n'],
  ] as const) {
    const args = ["--policies", file(name, text), "--policy", "slow", "--", process.execPath, fixture("round-trip"), String(peer.port)];
    const [result] = jsonLines<{ ms: number }>(await run(args));
    expect(result?.ms).toBeGreaterThanOrEqual(200);
  }
});

it("faultcore run makes the same decisions again with the same seed, and others with another", async () => {
  const once = async (seed: string): Promise<string[]> => {
    await using peer = await echo();
    const args = [
      "--policies",
      policies,
      "--policy",
      "uneven",
      "--seed",
      seed,
      "--",
      process.execPath,
      fixture("decisions"),
      String(peer.port),
    ];
    return (jsonLines<string[]>(await run(args))[0] ?? []).toSorted();
  };
  const first = await once("7");
  expect(first.length).toBeGreaterThan(40);
  expect(await once("7")).toEqual(first);
  expect(await once("8")).not.toEqual(first);
});
