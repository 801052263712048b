// Start-up: loading faultcore, and the first connection with its first byte back, with which the relay's thread starts.
import { once } from "node:events";
import { connect } from "node:net";
import { report, task } from "./modes.mjs";

async function use() {
  const socket = connect({ port: task.port, host: "127.0.0.1" });
  socket.write("x");
  await once(socket, "data");
  socket.destroy();
}

const start = performance.now();
const faultcore = task.mode === "direct" ? undefined : await import("faultcore");
const loaded = performance.now();
if (task.mode === "steered") faultcore.install({ steer: "always" });
await (task.mode === "scope" ? faultcore.withFaults({}, use) : use());
report({ importMs: loaded - start, firstMs: performance.now() - loaded });
