// 64-byte round trips on one connection, and what they cost in CPU time.
import { once } from "node:events";
import { connect } from "node:net";
import { quantile } from "../kit/stats.mjs";
import { inMode, report, task } from "./modes.mjs";
import { countCpu } from "./threads.mjs";

const message = Buffer.alloc(64);

/** Sends and waits for the echo, so many times. Returns the times, in µs. */
function trips(socket, count) {
  const times = [];
  return new Promise((done) => {
    let sent = 0;
    let received = 0;
    const send = () => {
      sent = performance.now();
      socket.write(message);
    };
    const onData = (data) => {
      received += data.length;
      if (received < message.length) return;
      received = 0;
      times.push((performance.now() - sent) * 1000);
      if (times.length < count) return send();
      socket.off("data", onData);
      done(times);
    };
    socket.on("data", onData);
    send();
  });
}

await inMode(async (port, proxy) => {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  // As often as it is measured: else p99 would tell of V8's compilers.
  await trips(socket, task.count);
  const cpu = countCpu(proxy?.pid);
  const times = await trips(socket, task.count);
  const { program, relay } = cpu();
  const per = 1000 / task.count;
  report({ p50Us: quantile(times, 0.5), p99Us: quantile(times, 0.99), programMs: program * per, relayMs: relay * per });
  socket.destroy();
});
