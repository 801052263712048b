// How exact an injected rate is: a download, from one chunk, after a moment, to the last within the time.
import { once } from "node:events";
import { connect } from "node:net";
import { inMode, report, sleep, task } from "./modes.mjs";
import { countCpu } from "./threads.mjs";

/** The relay's code is cold at first, so its first chunks are later than others, and the rest would seem too fast. */
const SETTLE_MS = 300;

await inMode(async (port, proxy) => {
  const socket = connect({ port, host: "127.0.0.1" });
  await once(socket, "connect");
  let bytes = 0;
  let first = 0;
  let last = 0;
  socket.on("data", (data) => {
    last = performance.now();
    // The chunk that starts the clock has been on the link before.
    if (first === 0) first = last;
    else bytes += data.length;
  });
  socket.write("d");
  await sleep(SETTLE_MS);
  first = 0;
  bytes = 0;
  const cpu = countCpu(proxy?.pid);
  await sleep(task.seconds * 1000);
  // Tells a rate that is missed for want of CPU time.
  const relayMsPerS = cpu().relay / task.seconds;
  const perS = bytes / ((last - first) / 1000);
  report({ errorPercent: Math.abs(perS / task.bytesPerS - 1) * 100, mbPerS: perS / 1e6, relayMsPerS });
  socket.destroy();
});
