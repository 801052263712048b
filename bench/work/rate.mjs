// How exact an injected rate is: a download, from its first byte to the last within the time.
import { once } from "node:events";
import { connect } from "node:net";
import { inMode, report, sleep, task } from "./modes.mjs";

await inMode(async (port) => {
  const socket = connect({ port, host: "127.0.0.1" });
  await once(socket, "connect");
  let bytes = 0;
  let first = 0;
  let last = 0;
  socket.on("data", (data) => {
    last = performance.now();
    // What comes first has been on the link before the clock ran.
    if (first === 0) first = last;
    else bytes += data.length;
  });
  socket.write("d");
  await once(socket, "data");
  await sleep(task.seconds * 1000);
  const perS = bytes / ((last - first) / 1000);
  report({ errorPercent: Math.abs(perS / task.bytesPerS - 1) * 100, mbPerS: perS / 1e6 });
  socket.destroy();
});
