// A network that comes and goes. How often does a client wait for nothing, without and with a circuit breaker?
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { setTimeout } from "node:timers/promises";
import { faultScope } from "faultcore";

const server = http.createServer((_request, response) => response.end("ok")).listen(0, "127.0.0.1");
await once(server, "listening");
const url = `http://127.0.0.1:${server.address().port}/`;

async function get() {
  const [response] = await once(http.get(url, { agent: false, signal: AbortSignal.timeout(250) }), "response");
  response.resume();
  return "answered";
}

/** Opens after three failures in a row. 700 ms later it lets one call try, which closes it or keeps it open. */
function breaker(call, failures = 0, openUntil = 0) {
  return async () => {
    if (performance.now() < openUntil) return "refused";
    const result = await call().catch(() => "timed out");
    failures = result === "answered" ? 0 : failures + 1;
    if (failures >= 3) openUntil = performance.now() + 700;
    return result;
  };
}

async function use(call, end = performance.now() + 4800) {
  const counts = { answered: 0, "timed out": 0, refused: 0 };
  for (; performance.now() < end; await setTimeout(10)) counts[await call().catch(() => "timed out")]++;
  return counts;
}

const flapping = { packetLoss: "100%", schedule: { kind: "flapping", on: "2s", off: "1s", anchor: "scope" } };
const [without, protectedBy] = await Promise.all([get, breaker(get)].map((call) => faultScope(flapping).run(() => use(call))));
console.log(`without breaker: about ${without["timed out"]} calls waited for nothing`);
console.log(`with breaker: about ${protectedBy["timed out"]} did, about ${protectedBy.refused} were refused at once`);
assert(protectedBy.refused > protectedBy["timed out"] && protectedBy.answered > 0, "most calls should have been spared the wait");
server.close();
