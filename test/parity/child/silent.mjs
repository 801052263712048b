// Prints { ipv4, ipv6 }: ports of loopback that take no further connection. Ends by itself, should its parent die.
import { writeSync } from "node:fs";
import net from "node:net";

const lifetimeMs = 60_000;

function listen(host) {
  return new Promise((resolve) => {
    const server = net.createServer();
    server.on("error", () => resolve(undefined));
    server.listen({ port: 0, host, backlog: 1 }, () => resolve({ host, port: server.address().port }));
  });
}

const servers = [await listen("127.0.0.1"), await listen("::1")];
for (const server of servers) {
  if (server === undefined) continue;
  // More than the backlog: what the kernel completes stays in the queue, nobody accepts it, and the next SYN is dropped.
  for (let i = 0; i < 4; i++) net.connect(server).on("error", () => {});
}
process.nextTick(() => {
  writeSync(1, `${JSON.stringify({ ipv4: servers[0].port, ipv6: servers[1]?.port })}\n`);
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, lifetimeMs);
  process.exit();
});
