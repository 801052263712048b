// CPU time of this process per keep-alive http request, all threads included.
import { Agent, get } from "node:http";
import { inMode, report, task } from "./modes.mjs";

const agent = new Agent({ keepAlive: true, maxSockets: 1 });

await inMode(async (port) => {
  const request = () =>
    new Promise((done, fail) => {
      get({ port, host: "127.0.0.1", agent }, (response) => response.resume().on("end", done)).on("error", fail);
    });
  // Warm first: what a process that has just started compiles and collects is no cost of a request.
  for (let n = 0; n < 2 * task.count; n++) await request();
  const before = process.cpuUsage();
  for (let n = 0; n < task.count; n++) await request();
  const { user, system } = process.cpuUsage(before);
  report({ cpuUs: (user + system) / task.count });
});
agent.destroy();
