// How a piece of work runs. Its task is the only argument, as JSON: `mode`, `port` of the service, and what the work itself wants to know.
//
// `direct`: faultcore is not loaded. `idle`: loaded and used once, the scope is over. `steered`: `install({ steer: "always" })`, no scope.
// `scope`: inside a scope whose policy has no field. `policy`: inside a scope of `task.policy`. `toxiproxy`: through a proxy of it.
import { once } from "node:events";
import { writeSync } from "node:fs";
import { connect } from "node:net";
import { startToxiproxy } from "../kit/toxiproxy.mjs";
import { noteRelay, noteThreads } from "./threads.mjs";

export const task = JSON.parse(process.argv[2]);

/** Prints the result of the work, at once: some work ends with `process.exit()`. */
export const report = (result) => void writeSync(1, `${JSON.stringify(result)}\n`);

export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

/** Does something so many times, as many at once as are told. */
export async function repeat(count, parallel, use) {
  let left = count;
  const worker = async () => {
    while (left-- > 0) await use();
  };
  await Promise.all(Array.from({ length: parallel }, worker));
}

/** Opens a connection and closes it. */
export async function touch(port) {
  const socket = connect(port, "127.0.0.1");
  await once(socket, "connect");
  socket.destroy();
  await once(socket, "close");
}

/** Runs the work in the task's mode. It is given the port to connect to, and the proxy server if there is one. */
export async function inMode(body, port = task.port) {
  if (task.mode === "direct") return body(port);
  if (task.mode === "toxiproxy") {
    const server = await startToxiproxy(task.toxiproxy);
    try {
      return await body(await server.proxy(port, task.toxics), server);
    } finally {
      server.close();
    }
  }
  const { install, withFaults } = await import("faultcore");
  noteThreads();
  if (task.mode === "steered") install({ steer: "always", ...task.install });
  else if (task.install) install(task.install);
  // The relay's start belongs to start-up, which is measured elsewhere.
  await withFaults({}, () => touch(port));
  noteRelay();
  if (task.mode === "steered" || task.mode === "idle") return body(port);
  return withFaults(task.mode === "policy" ? task.policy : {}, () => body(port));
}
