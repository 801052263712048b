// Runs the tests that compare versions of Node on the versions that install-nodes.mjs has fetched, this one aside: `npm test` has it.
// Usage: node scripts/test-nodes.mjs [vitest options …]
import { spawnSync } from "node:child_process";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
const projects = ["--project", "parity", "--project", "e2e", "test/parity", "test/e2e/nodes.test.ts"];
const { status } = spawnSync(process.execPath, [vitest, "run", ...projects, ...process.argv.slice(2)], {
  cwd: root,
  stdio: "inherit",
  env: { ...process.env, FAULTCORE_NODES: "others" },
});
process.exitCode = status ?? 1;
