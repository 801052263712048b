// Datagrams of 64 bytes per second, there and back, sixteen on their way at once.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { inMode, report, task } from "./modes.mjs";

const IN_FLIGHT = 16;
const LOST_AFTER_MS = 200;

// The relay is for TCP; a TCP port of the server starts it, as in all other work.
await inMode(async () => {
  const socket = createSocket("udp4");
  socket.connect(task.udp, "127.0.0.1");
  await once(socket, "connect");
  const message = Buffer.alloc(64);
  let returned = 0;
  let lost = 0;
  const run = (count) =>
    new Promise((done) => {
      let inFlight = 0;
      let seen = 0;
      const goal = returned + count;
      const fill = () => {
        for (; inFlight < IN_FLIGHT; inFlight++) socket.send(message);
      };
      // The kernel may drop datagrams where a buffer is full. Then nothing comes back that would send the next ones.
      const watchdog = setInterval(() => {
        if (seen !== returned) return void (seen = returned);
        lost += inFlight;
        inFlight = 0;
        fill();
      }, LOST_AFTER_MS);
      const onMessage = () => {
        inFlight--;
        if (++returned < goal) return fill();
        clearInterval(watchdog);
        socket.off("message", onMessage);
        done();
      };
      socket.on("message", onMessage);
      fill();
    });
  await run(task.count >> 2);
  const start = performance.now();
  await run(task.count);
  report({ perS: task.count / ((performance.now() - start) / 1000), lost });
  socket.close();
});
