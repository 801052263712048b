// Builds dist/: the compiled sources, the CommonJS entry with its types, and the JSON Schema of policy files.
// Everything is built beside dist/ and swapped in when it is complete: a failed build leaves the last good one.
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, "dist");
const staging = join(root, ".cache", `build-${process.pid}`);

function node(...args) {
  const { status, error } = spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" });
  if (error) throw error;
  if (status !== 0) throw new Error(`node ${args.join(" ")} ended with ${status}`);
}

mkdirSync(staging, { recursive: true });
try {
  node(join(root, "node_modules", "typescript", "bin", "tsc"), "-p", "tsconfig.build.json", "--outDir", staging);
  cpSync(join(root, "src", "index.cjs"), join(staging, "index.cjs"));
  // The types of require("faultcore"): the same names, seen from a CommonJS file.
  writeFileSync(join(staging, "index.d.cts"), 'export * from "./index.js";\n');
  cpSync(join(root, "src", "testing", "jest.cjs"), join(staging, "testing", "jest.cjs"));
  writeFileSync(join(staging, "testing", "jest.d.cts"), 'export * from "./jest.js";\n');
  node(join(root, "scripts", "write-json-schema.mjs"), staging);
  const main = join(staging, "cli", "main.js");
  if (existsSync(main)) chmodSync(main, 0o755);

  const previous = `${staging}.previous`;
  if (existsSync(dist)) renameSync(dist, previous);
  renameSync(staging, dist);
  rmSync(previous, { recursive: true, force: true });
} catch (error) {
  console.error(`build failed: ${error.message}`);
  process.exitCode = 1;
} finally {
  rmSync(staging, { recursive: true, force: true });
}
