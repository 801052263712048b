// Addresses whose kernel never answers a SYN: a listener that never accepts, in a process that is blocked, with a full queue.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const script = fileURLToPath(new URL("../child/silent.mjs", import.meta.url));
let running;

/** The port at which 127.0.0.1 does not answer, and one at which ::1 does not (undefined without IPv6). */
export function silentPorts() {
  running ??= start();
  return running.ports;
}

export function stopSilentPorts() {
  running?.child.kill("SIGKILL");
  running = undefined;
}

function start() {
  // Not steered: it is a peer, and a blocked one.
  const child = spawn(process.execPath, [script], { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, NODE_OPTIONS: "" } });
  const ports = new Promise((resolve, reject) => {
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (chunk) => {
      text += chunk;
      if (text.endsWith("\n")) resolve(JSON.parse(text));
    });
    child.on("exit", () => reject(new Error("the silent peer ended early")));
  });
  ports.catch(() => {});
  return { child, ports };
}
