import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const config = readFileSync(join(root, ".oxlintrc.json"), "utf8");

/** Plants files in a folder of its own, runs a program there and gives back what it printed. */
function runOn(files: Record<string, string>, ...args: string[]): { status: number | null; output: string } {
  const folder = mkdtempSync(join(tmpdir(), "faultcore-rules-"));
  try {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: "utf8" });
    return { status, output: stdout + stderr };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

describe("the import table", () => {
  const check = (files: Record<string, string>): { status: number | null; output: string } =>
    runOn(files, join(root, "scripts", "check-imports.mjs"), "src");

  const denied: [title: string, path: string, text: string][] = [
    ["internal", "internal/a.ts", `import { FaultcoreError } from "../errors.ts";`],
    ["errors", "errors.ts", `import { quote } from "./internal/describe.ts";`],
    ["engine, from policy", "engine/a.ts", `import type { Policy } from "../policy/types.ts";`],
    ["engine, from a subfolder", "engine/faults/a.ts", `import { parse } from "../../policy/parse.ts";`],
    ["engine, from Node", "engine/a.ts", `import { performance } from "node:perf_hooks";`],
    ["engine, from Node by its old name", "engine/a.ts", `import { performance } from "perf_hooks";`],
    ["engine, from a package", "engine/a.ts", `import { z } from "zod";`],
    ["policy, a value of the engine", "policy/a.ts", `import { decide } from "../engine/engine.ts";`],
    ["policy, a value beside a type", "policy/a.ts", `import { type Verdict, decide } from "../engine/engine.ts";`],
    ["table", "table/a.ts", `import { scope } from "../scope/scope.ts";`],
    ["scope", "scope/a.ts", `import { host } from "../relay/host.ts";`],
    ["relay", "relay/a.ts", `import { patch } from "../steer/net.ts";`],
    ["relay, from scope", "relay/a.ts", `import type { Scope } from "../scope/scope.ts";`],
    ["steer, from scope", "steer/a.ts", `import type { Scope } from "../scope/scope.ts";`],
    ["steer, from relay", "steer/a.ts", `import { host } from "../relay/host.ts";`],
    ["steer, from the engine", "steer/a.ts", `import { decide } from "../engine/engine.ts";`],
    ["report, a value of the engine", "report/a.ts", `import { decide } from "../engine/engine.ts";`],
    ["cli, past the public API", "cli/main.ts", `import { loadPolicies } from "../policy/files.ts";`],
    ["anybody, from cli", "runtime.ts", `import { main } from "./cli/main.ts";`],
    ["anybody, from the composition root", "scope/a.ts", `import { runtime } from "../runtime.ts";`],
    ["anybody, from the entry", "report/a.ts", `import { fault } from "../index.ts";`],
    ["anybody, by the package's name", "report/a.ts", `import { fault } from "faultcore";`],
    ["anybody, from outside src", "scope/a.ts", `import { startPostgres } from "../../test/helpers/postgres.ts";`],
    ["a folder that nobody listed", "extras/a.ts", `export const a = 1;`],
    ["an export from", "scope/a.ts", `export { host } from "../relay/host.ts";`],
    ["an export of everything", "scope/a.ts", `export * from "../relay/host.ts";`],
    ["a dynamic import", "scope/a.ts", `export const host = (): unknown => import("../relay/host.ts");`],
    ["an inline type import", "scope/a.ts", `export type Host = import("../relay/host.ts").Host;`],
    ["a worker's address", "scope/a.ts", `new Worker(new URL("../relay/worker.js", import.meta.url));`],
  ];

  // All of them in one tree and one run: every case has a folder of its own.
  const planted = denied.map(([title, path, text]) => {
    const [layer = "", ...rest] = path.split("/");
    const name = title.replaceAll(/\W+/g, "-");
    const own = rest.length === 0 ? path : [layer, ...rest.slice(0, -1), `${name}.ts`].join("/");
    return { title, path: `src/${own}`, text: `\n${text}\n` };
  });
  let result = { status: null as number | null, output: "" };

  beforeAll(() => {
    result = check(Object.fromEntries(planted.map(({ path, text }) => [path, text])));
  });

  it.each(planted)("denies $title", ({ path }) => {
    expect(result.output).toContain(`${path}:`);
    expect(result.status).toBe(1);
  });

  it("allows what the design allows, and what a comment or a string says", () => {
    const { status, output } = check({
      "src/engine/faults/loss.ts": `import { hash } from "../../internal/hash.ts";\nimport { draw } from "../draw.ts";`,
      "src/policy/types.ts": `import type { FlowFaults } from "../engine/types.ts";\nimport { type A } from "../engine/types.ts";\nimport { z } from "zod";`,
      "src/relay/relay.ts": `import { decide } from "../engine/engine.ts";\nimport { connect } from "node:net";\nnew URL("./worker.js", import.meta.url);`,
      "src/scope/scope.ts": `// import { host } from "../relay/host.ts";\nexport const text = 'import x from "../relay/host.ts"';`,
      "src/runtime.ts": `import { scope } from "./scope/scope.ts";\nimport { host } from "./relay/host.ts";`,
      "src/cli/main.ts": `import { fault } from "../index.ts";`,
    });
    expect(output).toBe("");
    expect(status).toBe(0);
  });
});

describe("the linter", () => {
  const lint = (files: Record<string, string>, ...options: string[]): string => {
    const oxlint = join(root, "node_modules", "oxlint", "bin", "oxlint");
    return runOn({ ...files, ".oxlintrc.json": config }, oxlint, "-f", "unix", ...options).output;
  };

  const impure: [name: string, text: string][] = [
    ["Date", "export const now = (): number => Date.now();"],
    ["performance", "export const now = (): number => performance.now();"],
    ["process", "export const now = (): bigint => process.hrtime.bigint();"],
    ["setTimeout", "export const later = (fn: () => void): unknown => setTimeout(fn, 1);"],
    ["setImmediate", "export const later = (fn: () => void): unknown => setImmediate(fn);"],
    ["globalThis", "export const later = (fn: () => void): unknown => globalThis.setTimeout(fn, 1);"],
    ["Math.random", "export const u = (): number => Math.random();"],
  ];
  let impureOutput = "";

  beforeAll(() => {
    const files = impure.flatMap(([name, text]) => [
      [`src/engine/faults/${name}.ts`, text],
      [`src/relay/${name}.ts`, text],
    ]);
    impureOutput = lint(Object.fromEntries(files) as Record<string, string>);
  });

  it.each(impure)("keeps %s out of the engine, and only there", (name) => {
    expect(impureOutput).toMatch(new RegExp(`src/engine/faults/${name}\\.ts:.*no-restricted-(globals|properties)`));
    expect(impureOutput).not.toContain(`src/relay/${name}.ts`);
  });

  it("refuses default exports, except in config files", () => {
    const text = "const config: object = {};\nexport default config;\n";
    const output = lint({ "src/a.ts": text, "some.config.ts": text });
    expect(output).toMatch(/src\/a\.ts:.*no-default-export/);
    expect(output).not.toContain("some.config.ts");
  });

  it("refuses import cycles", () => {
    const output = lint({
      "src/a.ts": `import { b } from "./b.ts";\nexport const a = (): unknown => b;\n`,
      "src/b.ts": `import { a } from "./a.ts";\nexport const b = (): unknown => a;\n`,
    });
    expect(output).toMatch(/src\/a\.ts:.*no-cycle/);
  });

  it("refuses a file over 300 lines that gives no reason", () => {
    const text = Array.from({ length: 301 }, (_, i) => `export const a${i} = ${i};\n`).join("");
    const waiver = "// oxlint-disable max-lines -- one table, read as one\n";
    const output = lint({ "src/long.ts": text, "src/waived.ts": waiver + text });
    expect(output).toMatch(/src\/long\.ts:.*max-lines/);
    expect(output).not.toContain("src/waived.ts");
  });

  it("refuses a promise that nobody waits for", () => {
    const files = {
      "tsconfig.json": `{ "compilerOptions": { "strict": true, "target": "es2023" }, "include": ["src"] }`,
      "src/a.ts": "const work = async (): Promise<void> => {};\nexport function start(): void {\n  work();\n}\n",
    };
    expect(lint(files, "--type-aware")).toMatch(/src\/a\.ts:.*no-floating-promises/);
  });
});
