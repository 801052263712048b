// New connections per second, so many at once. A connection counts when a byte has come back over it: a proxy that accepts before it has
// dialled shows no connection yet.
import { once } from "node:events";
import { connect } from "node:net";
import { inMode, report, task } from "./modes.mjs";

await inMode(async (port) => {
  const use = async () => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.write("x");
    await once(socket, "data");
    socket.destroy();
    await once(socket, "close");
  };
  let left = 0;
  const worker = async () => {
    while (left-- > 0) await use();
  };
  const run = async (count) => {
    left = count;
    await Promise.all(Array.from({ length: task.parallel }, worker));
  };
  await run(task.count >> 2);
  const start = performance.now();
  await run(task.count);
  report({ perS: task.count / ((performance.now() - start) / 1000) });
});
