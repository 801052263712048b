// Bulk throughput over a long link, against window ÷ round trip, over whole round trips after the first.
import { once } from "node:events";
import { connect } from "node:net";
import { inMode, report, sleep, task } from "./modes.mjs";

const { roundTripMs, roundTrips, windowMiB } = task;

await inMode(async (port) => {
  const socket = connect({ port, host: "127.0.0.1" });
  await once(socket, "connect");
  let bytes = 0;
  let fromMs = Infinity;
  let untilMs = Infinity;
  socket.on("data", (data) => {
    const now = performance.now();
    if (now >= fromMs && now < untilMs) bytes += data.length;
  });
  socket.write("d");
  await once(socket, "data");
  fromMs = performance.now() + roundTripMs;
  untilMs = fromMs + roundTripMs * roundTrips;
  await sleep(untilMs - performance.now() + 50);
  const perS = bytes / ((roundTripMs * roundTrips) / 1000);
  const bound = (windowMiB * 2 ** 20) / (roundTripMs / 1000);
  report({ mbPerS: perS / 1e6, share: perS / bound });
  socket.destroy();
});
