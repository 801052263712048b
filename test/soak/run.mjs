// `npm run soak [-- --minutes 10] [--seed 1]`: endurance. A mixed load of many clients, with faults of every kind, for minutes. The head
// of main.ts says what must hold. Compiles the TypeScript first, since Node 20 does not run it, and runs it in a process of its own.
import { spawn, spawnSync } from "node:child_process";
import { rmSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
// Inside the package, so that "faultcore" resolves to the built package as it does for a user.
const out = join(root, ".cache", "soak");
const EXIT_MS = 10_000;

rmSync(out, { recursive: true, force: true });
const compiled = spawnSync(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", join(root, "test/soak")], {
  stdio: "inherit",
});
if (compiled.status !== 0) process.exit(1);
// What is not compiled, but found from there.
for (const path of ["dist", "test/helpers/certificates.mjs", "test/fixtures"]) symlinkSync(join(root, path), join(out, path));

const child = spawn(process.execPath, ["--expose-gc", join(out, "test/soak/main.js"), ...process.argv.slice(2)], {
  stdio: ["inherit", "inherit", "inherit", "ipc"],
});
// It has said its last: now it has to exit by itself.
child.once("message", () => {
  setTimeout(() => {
    console.error(`VIOLATION: the process did not exit by itself within ${EXIT_MS} ms`);
    child.kill("SIGKILL");
  }, EXIT_MS).unref();
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => child.kill(signal));
child.on("exit", (code, signal) => {
  if (signal !== null) console.error(`ended by ${signal}`);
  process.exitCode = code ?? 1;
});
