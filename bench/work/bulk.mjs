// Bulk throughput of one connection in one direction.
import { once } from "node:events";
import { connect } from "node:net";
import { inMode } from "./modes.mjs";

const [mode, port, direction, megabytes] = [process.argv[2], Number(process.argv[3]), process.argv[4], Number(process.argv[5])];
const total = megabytes * 1e6;

await inMode(mode, port, async () => {
  const socket = connect({ port, host: "127.0.0.1" });
  await once(socket, "connect");
  const start = performance.now();
  if (direction === "down") {
    let received = 0;
    socket.on("data", (data) => {
      received += data.length;
      if (received >= total) socket.destroy();
    });
    socket.write("d");
    await once(socket, "close");
  } else {
    socket.write("u");
    const chunk = Buffer.alloc(65_536);
    for (let sent = 0; sent < total; sent += chunk.length) if (!socket.write(chunk)) await once(socket, "drain");
    socket.end();
    await once(socket.resume(), "end");
  }
  console.log(JSON.stringify({ mbPerS: megabytes / ((performance.now() - start) / 1000) }));
});
