// New connections per second, so many at once. A connection counts when a byte has come back over it: a proxy that accepts before it has
// dialled shows no connection yet.
import { once } from "node:events";
import { connect } from "node:net";
import { inMode, repeat, report, task } from "./modes.mjs";
import { countCpu } from "./threads.mjs";

await inMode(async (port, proxy) => {
  const use = async () => {
    const socket = connect({ port, host: "127.0.0.1", noDelay: true });
    socket.write("x");
    await once(socket, "data");
    socket.destroy();
    await once(socket, "close");
  };
  const run = () => repeat(task.count, task.parallel, use);
  // As many first: else this would tell how fast V8 compiles.
  await run();
  const cpu = countCpu(proxy?.pid);
  const start = performance.now();
  await run();
  const seconds = (performance.now() - start) / 1000;
  const { program, relay } = cpu();
  const per = 1000 / task.count;
  report({ perS: task.count / seconds, programUs: program * per, relayUs: relay * per });
});
