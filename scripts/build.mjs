// Builds dist/, what users get: one file per entry and what entries share, the declarations of all modules, the CommonJS entries, and the
// JSON Schema of policy files. A program starts sooner the fewer files it loads: docs/adr/0007-bundled-build.md.
// Beside it, build/: the same code module by module, for tests and benchmarks of single modules on a Node that cannot load TypeScript.
// Everything is built aside and swapped in when it is complete: a failed build leaves the last good one.
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const staging = join(root, ".cache", `build-${process.pid}`);
const modules = join(staging, "build");
const dist = join(staging, "dist");

const ENTRIES = [
  "index",
  "register",
  "relay/worker",
  "cli/main",
  "testing/vitest",
  "testing/jest",
  "testing/jest-circus",
  "testing/node-test",
];

function node(...args) {
  const { status, error } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  if (error) throw error;
  if (status !== 0) throw new Error(`node ${args.join(" ")} ended with ${status}`);
}

/** Names of the files that entries share, by a module that only this one has. */
const SHARED = { "table/table": "engine", "runtime/instance": "runtime", "runtime/api": "api", "testing/session": "testing" };

function sharedName({ moduleIds, name }) {
  const [, known] = Object.entries(SHARED).find(([module]) => moduleIds.includes(join(modules, `${module}.js`))) ?? [];
  return `internal/${known ?? name}.js`;
}

async function bundle() {
  const build = await rolldown({
    input: Object.fromEntries(ENTRIES.map((entry) => [entry, join(modules, `${entry}.js`)])),
    // What the comments name files by.
    cwd: modules,
    platform: "node",
    // Packages stay packages, but for zod: its 99 files would take longer to load than all the rest.
    external: (id) => !id.startsWith(".") && !isAbsolute(id) && id !== "zod",
    treeshake: { moduleSideEffects: (id) => id.startsWith(modules) },
    onLog(level, log) {
      if (level === "warn") throw new Error(log.message);
    },
  });
  await build.write({
    dir: dist,
    format: "esm",
    entryFileNames: "[name].js",
    // One folder below the root: see src/internal/package-files.ts.
    chunkFileNames: sharedName,
    // Stacks and functions that a program looks at show the names of the sources.
    keepNames: true,
    minifyInternalExports: false,
  });
  await build.close();
}

/** The declarations that the entries lead to, and no others. */
function copyDeclarations() {
  const waiting = ENTRIES.map((entry) => join(modules, `${entry}.d.ts`));
  const seen = new Set(waiting);
  for (const path of waiting) {
    const text = readFileSync(path, "utf8");
    for (const [, specifier] of text.matchAll(/(?:from |import\()"(\.[^"]+)\.[jt]s"/g)) {
      const next = resolve(dirname(path), `${specifier}.d.ts`);
      if (!seen.has(next)) {
        seen.add(next);
        waiting.push(next);
      }
    }
    cpSync(path, join(dist, relative(modules, path)), { recursive: true });
  }
}

function swapIn(from, name) {
  const to = join(root, name);
  const previous = join(staging, `${name}.previous`);
  if (existsSync(to)) renameSync(to, previous);
  renameSync(from, to);
}

mkdirSync(staging, { recursive: true });
try {
  node(join(root, "node_modules", "typescript", "bin", "tsc"), "-p", "tsconfig.build.json", "--outDir", modules);
  await bundle();
  copyDeclarations();
  for (const file of ["index.cjs", "testing/jest.cjs"]) cpSync(join(root, "src", file), join(dist, file));
  cpSync(join(root, "node_modules", "zod", "LICENSE"), join(dist, "internal", "zod.LICENSE.txt"));
  // The types of require("faultcore"): the same names, seen from a CommonJS file.
  writeFileSync(join(dist, "index.d.cts"), 'export * from "./index.js";\n');
  writeFileSync(join(dist, "testing", "jest.d.cts"), 'export * from "./jest.js";\n');
  node(join(root, "scripts", "write-json-schema.mjs"), modules, dist);
  chmodSync(join(dist, "cli", "main.js"), 0o755);
  swapIn(modules, "build");
  swapIn(dist, "dist");
} catch (error) {
  console.error(`build failed: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(staging, { recursive: true, force: true });
}
