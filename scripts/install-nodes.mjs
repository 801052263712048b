// Puts one Node binary per major version under .cache/nodes/<major>, for the suites that run on every version.
// Usage: node scripts/install-nodes.mjs [major ...]      (default: 20 22 24 26, the newest of each)
import { execFile, spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cacheDir = join(root, ".cache", "nodes");
const wanted = process.argv.slice(2);
const majors = wanted.length > 0 ? wanted : ["20", "22", "24", "26"];

// The registry names Windows "win" and keeps each platform's binary in a package of its own.
const platform = process.platform === "win32" ? "win" : process.platform;
const packageName = `node-${platform}-${process.arch}`;
const binary = process.platform === "win32" ? "node.exe" : "node";

function binaryOf(folder) {
  return join(folder, "node_modules", packageName, "bin", binary);
}

function versionOf(path) {
  const { stdout, status } = spawnSync(path, ["--version"], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : undefined;
}

async function install(major) {
  const folder = join(cacheDir, major);
  if (existsSync(binaryOf(folder))) {
    const version = versionOf(binaryOf(folder));
    if (version?.startsWith(`v${major}.`)) return `${version} (already there)`;
  }
  // A folder appears under its final name only when it is complete: an interrupted run never leaves half a Node.
  const partial = `${folder}.partial-${process.pid}`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  try {
    // Without a package.json here, npm would climb to the project's own.
    writeFileSync(join(partial, "package.json"), '{ "private": true }\n');
    const options = ["--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts", "--loglevel=error"];
    const npm = process.platform === "win32" ? "npm.cmd" : "npm";
    await run(npm, ["install", `${packageName}@${major}`, ...options], {
      cwd: partial,
      shell: process.platform === "win32",
    });
    const version = versionOf(binaryOf(partial));
    if (version === undefined) throw new Error(`${packageName}@${major} does not run on this machine`);
    rmSync(folder, { recursive: true, force: true });
    renameSync(partial, folder);
    return version;
  } finally {
    rmSync(partial, { recursive: true, force: true });
  }
}

mkdirSync(cacheDir, { recursive: true });
let failed = false;
for (const major of majors) {
  try {
    console.log(`node ${major}: ${await install(major)}`);
  } catch (error) {
    failed = true;
    const reason = String(error.stderr ?? error.message)
      .trim()
      .split("\n")[0];
    console.error(`node ${major}: not installed: ${reason}`);
  }
}
process.exitCode = failed ? 1 : 0;
