import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { echo } from "../helpers/peers.ts";
import { dist, fixture, jsonLines, node } from "../helpers/programs.ts";

let folder = "";
let policies = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "faultcore-register-"));
  policies = join(folder, "policies.json");
  writeFileSync(policies, JSON.stringify({ down: { connection_error: { kind: "refused" } } }));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

// From within the package, `faultcore/register` is the package's own.
const cwd = dirname(fixture("bare-connect"));
const register = ["--import", "faultcore/register"];

describe("node --import faultcore/register", () => {
  it("applies the policy that the environment names, to the main thread and to worker threads", async () => {
    await using peer = await echo();
    const env = { FAULTCORE_POLICIES: policies, FAULTCORE_POLICY: "down" };
    for (const thread of ["main", "worker"]) {
      const args = [...register, fixture("bare-connect"), String(peer.port), thread];
      expect(await node(args, { cwd, env })).toEqual({ code: 0, signal: null, stdout: "ECONNREFUSED\n", stderr: "" });
    }
    expect(peer.accepted()).toBe(0);
  });

  it("applies nothing without a policy's name", async () => {
    await using peer = await echo();
    for (const env of [{}, { FAULTCORE_POLICIES: policies }, { FAULTCORE_POLICIES: "", FAULTCORE_POLICY: "" }]) {
      const ended = await node([...register, fixture("bare-connect"), String(peer.port)], { cwd, env });
      expect(ended).toEqual({ code: 0, signal: null, stdout: "connected\n", stderr: "" });
    }
  });

  const refusals: Record<string, [env: Record<string, string>, says: RegExp]> = {
    "a policy file that is not there": [{ FAULTCORE_POLICIES: "/no/such/file.json" }, /no.such.file\.json/],
    "a policy that is not registered": [{ FAULTCORE_POLICY: "down" }, /down/],
    "a bad seed": [{ FAULTCORE_SEED: "many", FAULTCORE_POLICIES: "$policies", FAULTCORE_POLICY: "down" }, /FAULTCORE_SEED/],
  };
  for (const [what, [given, says]] of Object.entries(refusals)) {
    it(`refuses ${what} with one clear line and exit code 2, before the program has begun`, async () => {
      const env = Object.fromEntries(Object.entries(given).map(([name, value]) => [name, value === "$policies" ? policies : value]));
      const { code, stdout, stderr } = await node([...register, "-e", 'console.log("started")'], { cwd, env });
      expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
      expect(stderr.trimEnd().split("\n")).toEqual([expect.stringMatching(/^faultcore: .*\[ERR_FAULTCORE_\w+\]$/)]);
      expect(stderr).toMatch(says);
    });
  }
});

const REFUSED = [
  ["connect", "ECONNREFUSED"],
  ["createConnection", "ECONNREFUSED"],
  ["Socket", "ECONNREFUSED"],
  ["get", "ECONNREFUSED"],
];

it("A CommonJS program may have taken functions out of net before faultcore was loaded, or after", async () => {
  await using peer = await echo();
  for (const when of ["before", "after"]) {
    expect(jsonLines(await node([fixture("captured.cjs"), when, String(peer.port)], { cwd }))).toEqual(REFUSED);
  }
  expect(peer.accepted()).toBe(0);
});

it("An ES module may import net's functions by name, before faultcore", async () => {
  await using peer = await echo();
  expect(jsonLines(await node([fixture("captured"), String(peer.port)], { cwd }))).toEqual(REFUSED);
  expect(peer.accepted()).toBe(0);
});

it("Threads share one table: an activation governs all of them, a scope only its own, and a new thread has a copy of the registry", async () => {
  await using peer = await echo();
  const ended = await node([fixture("threads"), String(peer.port)], { cwd });
  expect(Object.fromEntries(jsonLines<[string, unknown]>(ended))).toEqual({
    "policies of the worker": ["before", "of the worker"],
    "policies of the main thread": ["after", "before"],
    "same seed": true,
    "worker without an activation": "connected",
    "worker under the main thread's activation": "ECONNREFUSED",
    "main under its activation": "ECONNREFUSED",
    "errors in the report, of both threads": 2,
    "worker after an update": "connected",
    "worker after the activation": "connected",
    "worker in its own scope": "ECONNREFUSED",
    "main while the worker is in a scope": "connected",
    "worker still in its scope": "ECONNREFUSED",
    "worker out of its scope": "connected",
    "worker while main is in a scope": "connected",
  });
  expect(ended.stderr).toBe("");
});

it("Two copies of the package in one process are one runtime", async () => {
  await using peer = await echo();
  const root = fileURLToPath(new URL("../../", import.meta.url));
  mkdirSync(join(root, ".cache"), { recursive: true });
  // Below the package's root, so that the copies find its dependencies.
  const copies = mkdtempSync(join(root, ".cache", "copies-"));
  try {
    const entries = ["first", "second"].map((name) => {
      cpSync(dist(""), join(copies, name), { recursive: true });
      return pathToFileURL(join(copies, name, "index.js")).href;
    });
    const ended = await node([fixture("two-copies"), ...entries, String(peer.port)]);
    expect(jsonLines(ended)).toEqual([
      {
        errorOfBoth: [true, true, false],
        different: true,
        patchedOnce: true,
        policies: ["refused"],
        sameSeed: true,
        byTheSecond: "ECONNREFUSED,true,true",
        shieldedByTheFirst: "connected",
        selectedByTheFirst: "ECONNREFUSED,true,true",
      },
    ]);
    expect(ended.stderr).toBe("");
  } finally {
    rmSync(copies, { recursive: true, force: true });
  }
});
