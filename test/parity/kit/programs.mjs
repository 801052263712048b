// Runs the small programs of child/programs.mjs as processes of their own.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("../child/programs.mjs", import.meta.url));

/** Runs a program; whatever switched steering on for this process does so for that one. */
export function start(t, name, port) {
  const child = spawn(process.execPath, [...process.execArgv, script, name, String(port)], { stdio: ["ignore", "pipe", "pipe"] });
  t.cleanup(() => child.kill("SIGKILL"));
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (errors += text));
  const exited = new Promise((resolve) => {
    child.on("close", (code, signal) => {
      for (const line of output.split("\n").filter(Boolean)) t.log("program", line);
      for (const line of errors.split("\n")) if (/^\w*Error|^ {2}\w+: |Warning/.test(line)) t.log("program", "stderr", line);
      t.log("program", "exited", { code, signal });
      resolve();
    });
  });
  return { child, exited };
}

/** A case: runs a program against a server, and compares both. */
export const program =
  (name, onSocket, { allowHalfOpen = false, ...options } = {}) =>
  async (t) => {
    const server = await t.listen(onSocket, { allowHalfOpen, watch: { addresses: false }, ...options });
    await start(t, name, server.port).exited;
    await t.allClosed();
  };
