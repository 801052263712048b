// A firewall forgets a pooled connection: no FIN, no reset, nothing but silence. Does the pool survive?
import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { setTimeout } from "node:timers/promises";
import { faultScope, install, registerPolicy } from "faultcore";
import { Pool } from "undici";

install({ steer: "always" }); // before the pool connects: what is open already can be faulted then
const server = createServer((_request, response) => response.end("answered")).listen(0, "127.0.0.1");
await once(server, "listening");

const ask = async (pool) => (await pool.request({ path: "/", method: "GET" })).body.text();

/** Reading is safe to repeat: undici has closed the connection that timed out, and opens another one. */
async function askTwice(pool) {
  try {
    return await ask(pool);
  } catch (error) {
    if (error.code !== "UND_ERR_HEADERS_TIMEOUT") throw error;
    return `${await ask(pool)} on a new connection`;
  }
}

async function outcome(options, call, patienceMs) {
  const pool = new Pool(`http://127.0.0.1:${server.address().port}`, { connections: 1, ...options });
  await ask(pool); // opens the connection
  registerPolicy("forgotten", { halfOpen: { error: "silent" }, times: 1 }); // its next use, and no other
  const patience = (promise) => Promise.race([promise, setTimeout(patienceMs, "no answer in time", { ref: false })]);
  const first = await faultScope("forgotten").run(() => patience(call(pool)));
  const next = await patience(call(pool));
  pool.destroy().catch(() => {});
  return `${first}, then ${next}`;
}

const outcomes = [await outcome({}, ask, 1000), await outcome({ headersTimeout: 300 }, askTwice, 5000)];
console.log(`without a timeout: ${outcomes[0]}\ntimeout and retry: ${outcomes[1]}`);
assert.deepEqual(outcomes, ["no answer in time, then no answer in time", "answered on a new connection, then answered"]);
server.close();
server.closeAllConnections();
