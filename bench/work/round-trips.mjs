// 64-byte round trips on one connection.
import { once } from "node:events";
import { connect } from "node:net";
import { inMode } from "./modes.mjs";

const [mode, port, count] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const message = Buffer.alloc(64);

await inMode(mode, port, async () => {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  const times = [];
  await new Promise((done) => {
    let sent = 0;
    let received = 0;
    const send = () => {
      sent = performance.now();
      socket.write(message);
    };
    socket.on("data", (data) => {
      received += data.length;
      if (received < message.length) return;
      received = 0;
      times.push((performance.now() - sent) * 1000);
      if (times.length === count + 200) done();
      else send();
    });
    send();
  });
  const sorted = times.slice(200).toSorted((a, b) => a - b);
  console.log(JSON.stringify({ p50Us: sorted[count >> 1], p99Us: sorted[Math.floor(count * 0.99)] }));
  socket.destroy();
});
