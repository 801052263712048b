// Bulk throughput in one direction over one connection or several at once, and what it costs in CPU time.
import { once } from "node:events";
import { connect } from "node:net";
import { inMode, report, task } from "./modes.mjs";
import { countCpu } from "./threads.mjs";

const total = task.megabytes * 1e6;
const each = total / task.flows;
const chunk = Buffer.alloc(65_536);

async function down(socket) {
  let received = 0;
  socket.on("data", (data) => {
    received += data.length;
    if (received >= each) socket.destroy();
  });
  socket.write("d");
  await once(socket, "close");
}

async function up(socket) {
  socket.write("u");
  for (let sent = 0; sent < each; sent += chunk.length) if (!socket.write(chunk)) await once(socket, "drain");
  socket.end();
  // The server answers when it has read everything.
  await once(socket.resume(), "end");
}

await inMode(async (port, proxy) => {
  const sockets = Array.from({ length: task.flows }, () => connect({ port, host: "127.0.0.1" }));
  await Promise.all(sockets.map((socket) => once(socket, "connect")));
  const cpu = countCpu(proxy?.pid);
  const start = performance.now();
  await Promise.all(sockets.map(task.direction === "down" ? down : up));
  const seconds = (performance.now() - start) / 1000;
  const { program, relay } = cpu();
  report({ mbPerS: task.megabytes / seconds, programMs: program / (total / 1e9), relayMs: relay / (total / 1e9) });
});
