import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { version: string; dependencies: Record<string, string> };
const tool = (...path: string[]): string => join(root, "node_modules", ...path);

interface Packed {
  readonly filename: string;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

let folder = "";
let packed: Packed;

interface Result {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program in the consumer's folder, without what vitest left in the environment. */
function run(program: string, args: readonly string[]): Result {
  const { NODE_OPTIONS: _options, NODE_ENV: _env, VITEST: _vitest, ...env } = process.env;
  const { status, stdout, stderr, error } = spawnSync(program, args, { cwd: folder, encoding: "utf8", env, timeout: 100_000 });
  if (error !== undefined) throw error;
  return { status, stdout, stderr };
}

const node = (...args: readonly string[]): Result => run(process.execPath, args);

function succeeded({ status, stdout, stderr }: Result): string {
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  return stdout;
}

function npm(...args: readonly string[]): string {
  const { status, stdout, stderr } = run("npm", args);
  if (status !== 0) throw new Error(`npm ${args.join(" ")} ended with ${status}: ${stderr}`);
  return stdout;
}

// The tarballs of the dependencies come from node_modules: nothing here needs a network.
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "faultcore-consumer-"));
  const tarballs = join(folder, "tarballs");
  mkdirSync(tarballs);
  const pack = (path: string): Packed[] =>
    JSON.parse(npm("pack", path, "--json", "--ignore-scripts", "--pack-destination", tarballs)) as Packed[];
  [packed] = pack(root) as [Packed];
  const dependencies = Object.keys(manifest.dependencies).flatMap((name) => pack(tool(name)));
  cpSync(join(root, "test", "fixtures", "consumer"), folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), `{ "name": "consumer", "private": true }\n`);
  const files = [packed, ...dependencies].map(({ filename }) => join(tarballs, filename));
  npm("install", "--offline", "--no-audit", "--no-fund", "--ignore-scripts", ...files);
});

afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

describe("the tarball", () => {
  it("holds what a user needs and nothing else", () => {
    const paths = packed.files.map(({ path }) => path);
    const strays = paths.filter(
      (path) =>
        !/^(package\.json|README\.md|LICENSE|CHANGELOG\.md)$/.test(path) &&
        !/^docs\/.+\.md$/.test(path) &&
        !/^dist\/.+\.(js|cjs|d\.ts|d\.cts|json)$/.test(path) &&
        path !== "dist/internal/zod.LICENSE.txt",
    );
    expect(strays).toEqual([]);
    expect(paths.filter((path) => /(^|\/)(tests?|fixtures?|bench|examples)\/|\.test\./i.test(path))).toEqual([]);
    expect(paths).toEqual(
      expect.arrayContaining([
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "dist/cli/main.js",
        "dist/index.cjs",
        "dist/index.d.cts",
        "dist/index.d.ts",
        "dist/index.js",
        "dist/internal/zod.LICENSE.txt",
        "dist/policies.schema.json",
        "dist/register.js",
        "dist/relay/worker.js",
        "dist/testing/jest.cjs",
        "dist/testing/jest.d.cts",
        "docs/errors.md",
      ]),
    );
    expect(packed.unpackedSize).toBeLessThan(2_000_000);
  });

  it("shows the entries that it names, and no other file", () => {
    const { status, stderr } = node("--input-type=module", "-e", `await import("faultcore/dist/index.js")`);
    expect(status).not.toBe(0);
    expect(stderr).toContain("ERR_PACKAGE_PATH_NOT_EXPORTED");
  });
});

interface Timed {
  readonly text: string;
  readonly ms: number;
}

describe("the installed package", () => {
  it.each(["esm.mjs", "cjs.cjs"])("delays a real request, and only the faulted one (%s)", (file) => {
    const output = JSON.parse(succeeded(node(file))) as { policies: string[]; faulted: Timed; direct: Timed; same?: boolean };
    expect(output.policies).toEqual(["slow"]);
    expect(output.faulted.text).toBe("hello");
    expect(output.faulted.ms).toBeGreaterThanOrEqual(100);
    expect(output.direct.text).toBe("hello");
    expect(output.direct.ms).toBeLessThan(output.faulted.ms);
    // require() and import give one copy, with one registry.
    expect(output.same).not.toBe(false);
  });

  it("faults a pooled connection that was opened before the scope, under --import faultcore/register", () => {
    const output = JSON.parse(succeeded(node("--import", "faultcore/register", "registered.mjs"))) as Record<string, number>;
    expect(output["faultedMs"]).toBeGreaterThanOrEqual(50);
    expect(output["reusedMs"]).toBeLessThan(output["faultedMs"] ?? 0);
  });

  it("exports the JSON Schema of policy files", () => {
    const schema = JSON.parse(succeeded(node("schema.mjs"))) as Record<string, unknown>;
    expect(schema["$schema"]).toMatch(/^https?:\/\/json-schema\.org\//);
  });

  it("runs a small test in Jest's classic mode", () => {
    writeFileSync(
      join(folder, "jest.config.json"),
      JSON.stringify({ testEnvironment: "node", testMatch: ["**/*.jest.cjs"], transform: {}, watchman: false }),
    );
    const { status, stderr } = node(tool("jest", "bin", "jest.js"), "--config", "jest.config.json", "--ci", "--runInBand");
    expect(stderr).toContain("Tests:       2 passed, 2 total");
    // Jest itself says so when something is left running.
    expect(stderr).not.toContain("did not exit");
    expect(status).toBe(0);
  });
});

describe("the faultcore command", () => {
  const faultcore = (...args: string[]): Result => run(join(folder, "node_modules", ".bin", "faultcore"), args);

  it("tells its version", () => {
    expect(succeeded(faultcore("--version")).trim()).toBe(manifest.version);
  });

  it("runs a program under a policy and ends as it ends", () => {
    writeFileSync(join(folder, "policies.yaml"), "slow:\n  latency: 20ms\n");
    const policy = ["--policies", "policies.yaml", "--policy", "slow"];
    const { status, stdout } = faultcore("run", ...policy, "--", process.execPath, "-e", "console.log('ran'); process.exitCode = 7");
    expect(stdout).toContain("ran");
    expect(status).toBe(7);
  });
});

describe("the types", () => {
  const compile = (name: string, options: Record<string, unknown>, files: readonly string[]): Result => {
    const typeRoots = [tool("@types")];
    const compilerOptions = { strict: true, noEmit: true, target: "es2022", types: ["node"], typeRoots, ...options };
    writeFileSync(join(folder, name), JSON.stringify({ compilerOptions, files }));
    return node(tool("typescript", "bin", "tsc"), "-p", name);
  };

  it.each([
    ["an ES module", ["types-esm.mts"]],
    ["a CommonJS module", ["types-cjs.cts"]],
  ])("compile in %s, our own declarations included", (name, files) => {
    const { status, stdout } = compile(`tsconfig.${name.replaceAll(" ", "-")}.json`, { module: "nodenext" }, files);
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });

  it("compile for a bundler", () => {
    const options = { module: "esnext", moduleResolution: "bundler" };
    const { status, stdout } = compile("tsconfig.bundler.json", options, ["types-esm.mts"]);
    expect(stdout).toBe("");
    expect(status).toBe(0);
  });
});
