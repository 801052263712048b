// Which retries help on a lossy network, and which in an outage? Six calls each, all at once, every attempt limited to 900 ms.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { setTimeout } from "node:timers/promises";
import { faultScope, install } from "faultcore";

const server = http.createServer((_request, response) => response.end("ok")).listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${server.address().port}/`;
/** `pauseMs`: before the first retry. It doubles each time, and is spread so that clients do not all come back at once. */
async function get(attempts, pauseMs) {
  for (let attempt = 1; ; attempt++) {
    try {
      const [response] = await once(http.get(url, { agent: false, signal: AbortSignal.timeout(900) }), "response");
      return await once(response.resume(), "end");
    } catch (error) {
      if (attempt === attempts) throw error;
      await setTimeout(pauseMs * 2 ** (attempt - 1) * (0.5 + Math.random() / 2));
    }
  }
}

async function failures(policy, attempts, pauseMs) {
  const results = await faultScope(policy).run(() => Promise.allSettled(Array.from({ length: 6 }, () => get(attempts, pauseMs))));
  return results.filter(({ status }) => status === "rejected").length;
}

install({ steer: "always" });
await get(9, 100); // the relay has started when this one is through
async function compare(network, policy) {
  const [never, atOnce, backoff] = await Promise.all([failures(policy, 1, 0), failures(policy, 4, 0), failures(policy, 4, 400)]);
  assert(never > 0 && backoff === 0, "backoff should have helped");
  return `${network}: about ${never} of 6 calls failed, about ${atOnce} with three retries at once, ${backoff} with backoff`;
}
const outage = { kind: "flapping", on: "3.2s", off: "60m", anchor: "scope" };
const lossy = compare("15 % loss", { packetLoss: "15%", seed: 12 });
const away = compare("outage of 3.2 s", { packetLoss: "100%", schedule: outage });
console.log(`${await lossy}\n${await away}`);
server.close();
