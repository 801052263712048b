// Memory per idle connection, and the CPU time that many of them take while nothing happens. Each was used once. Behind Toxiproxy it is
// the proxy that is looked at, else this process.
import { once } from "node:events";
import { connect } from "node:net";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { inMode, repeat, report, sleep, task } from "./modes.mjs";
import { countCpu, residentKb } from "./threads.mjs";

const PARALLEL = 64;
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");

await inMode(async (port, proxy) => {
  const sockets = [];
  const open = (count) =>
    repeat(count, PARALLEL, async () => {
      const socket = connect({ port, host: "127.0.0.1" });
      sockets.push(socket);
      socket.write("x");
      await once(socket, "data");
    });
  const resident = async () => {
    await sleep(task.idleMs / 4);
    collect();
    return residentKb(proxy?.pid);
  };
  await open(PARALLEL);
  const before = await resident();
  await open(task.flows);
  const kbPerFlow = ((await resident()) - before) / task.flows;
  // What opening them and the collection have set in motion comes to rest.
  await sleep(task.idleMs / 2);
  const cpu = countCpu(proxy?.pid);
  await sleep(task.idleMs);
  const { total, relay } = cpu();
  report({ kbPerFlow, cpuMsPerS: (proxy === undefined ? total : relay) / (task.idleMs / 1000) });
  for (const socket of sockets) socket.destroy();
});
process.exit();
