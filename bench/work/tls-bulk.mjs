// A download over https or h2, with Node's default windows, on a connection that has carried a request before.
import { once } from "node:events";
import { connect } from "node:http2";
import { Agent, get } from "node:https";
import { authority } from "../../test/helpers/certificates.mjs";
import { inMode, report, task } from "./modes.mjs";

async function drained(stream) {
  let bytes = 0;
  stream.on("data", (data) => (bytes += data.length));
  await once(stream, "end");
  return bytes;
}

async function measure(download, close) {
  await download(1);
  const start = performance.now();
  const bytes = await download(task.megabytes * 1e6);
  report({ mbPerS: bytes / 1e3 / (performance.now() - start) });
  close();
}

await inMode(async (port) => {
  const origin = `https://127.0.0.1:${port}`;
  if (task.protocol === "https") {
    const agent = new Agent({ keepAlive: true, ca: authority });
    const download = async (bytes) => {
      const [response] = await once(get(`${origin}/${bytes}`, { agent }), "response");
      return drained(response);
    };
    return measure(download, () => agent.destroy());
  }
  const session = connect(origin, { ca: authority });
  return measure(
    (bytes) => drained(session.request({ ":path": `/${bytes}` })),
    () => session.destroy(),
  );
});
