// http requests per second with `fetch` or `node:http`, eight at once, on connections that are kept or opened anew for each.
import { Agent, get } from "node:http";
import { inMode, repeat, report, task } from "./modes.mjs";

const PARALLEL = 8;

await inMode(async (port) => {
  const agent = new Agent({ keepAlive: task.keepAlive });
  const url = `http://127.0.0.1:${port}/${task.keepAlive ? "" : "close"}`;
  const request =
    task.client === "fetch"
      ? async () => (await fetch(url)).text()
      : () =>
          new Promise((done, fail) => {
            get(url, { agent }, (response) => response.resume().on("end", done)).on("error", fail);
          });
  const run = () => repeat(task.count, PARALLEL, request);
  // As many first: else this would tell how fast V8 compiles.
  await run();
  const start = performance.now();
  await run();
  report({ perS: task.count / ((performance.now() - start) / 1000) });
  agent.destroy();
});
// undici keeps its connections for some seconds, which would hold the process.
process.exit();
