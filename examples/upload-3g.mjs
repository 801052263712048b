// What does an upload's progress bar tell on a 3G link? Bytes that were written are not bytes that have arrived.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { text } from "node:stream/consumers";
import { faultScope } from "faultcore";

const part = Buffer.alloc(15_000, "x");
const parts = [25, 50, 75, 100]; // percent of the file
const server = http.createServer((request, response) => void text(request).then((body) => response.end(body))).listen(0, "127.0.0.1");
await once(server, "listening");
const put = (agent) => http.request({ host: "127.0.0.1", port: server.address().port, method: "PUT", agent });

/** One request. Progress is what the socket has taken. */
async function uploadAtOnce(progress) {
  const request = put(false);
  for (const percent of parts) request.write(part, () => progress(percent));
  await text((await once(request.end(), "response"))[0]);
}

/** A request for each part, on one connection. Progress is what the server has confirmed: an upload could go on there. */
async function uploadInParts(progress) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  for (const percent of parts) {
    await text((await once(put(agent).end(part), "response"))[0]);
    progress(percent);
  }
  agent.destroy();
}

for (const upload of [uploadAtOnce, uploadInParts]) {
  const start = performance.now();
  const elapsedMs = () => Math.round(performance.now() - start);
  const seen = [];
  await faultScope("preset:wpt-3g").run(() => upload((percent) => seen.push([percent, elapsedMs()])));
  console.log(`${upload.name}: ${seen.map(([percent, ms]) => `${percent} % after ${ms} ms`).join(", ")}; done after ${elapsedMs()} ms`);
  const leadMs = elapsedMs() - seen.at(-1)[1];
  assert.equal(leadMs > 300, upload === uploadAtOnce, "only what is written at once is done long before it has arrived");
}
server.close();
