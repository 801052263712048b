// CPU time of this process per keep-alive http request, all threads included.
import { Agent, get } from "node:http";
import { inMode } from "./modes.mjs";

const [mode, port, count] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const agent = new Agent({ keepAlive: true, maxSockets: 1 });
const request = () =>
  new Promise((done, fail) => {
    get({ port, host: "127.0.0.1", agent }, (response) => response.resume().on("end", done)).on("error", fail);
  });

await inMode(mode, port, async () => {
  // Warm first: what a process that has just started compiles and collects is no cost of a request.
  for (let n = 0; n < 2 * count; n++) await request();
  const before = process.cpuUsage();
  for (let n = 0; n < count; n++) await request();
  const { user, system } = process.cpuUsage(before);
  console.log(JSON.stringify({ cpuUsPerRequest: (user + system) / count }));
});
agent.destroy();
