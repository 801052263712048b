// The name of the primary cannot be looked up, or its name server keeps silent. Does the client reach the secondary in time?
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { text } from "node:stream/consumers";
import { withFaults } from "faultcore";

async function serve(answer, host) {
  const server = http.createServer((_request, response) => response.end(answer)).listen(0, "127.0.0.1");
  await once(server.unref(), "listening");
  return `http://${host}:${server.address().port}/`;
}
const primary = await serve("primary answered", "localhost");
const secondary = await serve("secondary answered", "127.0.0.1");

/** Asks one after the other, each for at most so long; the error of the last one counts. */
async function get([url, ...others], limitMs = 60_000) {
  try {
    const [response] = await once(http.get(url, { agent: false, signal: AbortSignal.timeout(limitMs) }), "response");
    return await text(response);
  } catch (error) {
    if (others.length > 0) return get(others, limitMs);
    throw error;
  }
}

async function show(what, dns, call, expected, [leastMs, mostMs] = [0, 2000]) {
  const start = performance.now();
  const outcome = await withFaults({ dns, targets: ["localhost"] }, call).catch((error) => error.code);
  const ms = Math.round(performance.now() - start);
  console.log(`${what}: ${outcome} after ${ms} ms`);
  assert(outcome === expected && ms >= leastMs && ms <= mostMs, `expected ${expected} within ${mostMs} ms`);
}
const unknown = { nxdomain: "100%" };
const silent = { timeout: "2s" };
await show("unknown name, no failover", unknown, () => get([primary]), "ENOTFOUND");
await show("unknown name, failover", unknown, () => get([primary, secondary]), "secondary answered");
await show("silent name server, failover", silent, () => get([primary, secondary]), "secondary answered", [2000, 4000]);
await show("silent name server, failover after 300 ms", silent, () => get([primary, secondary], 300), "secondary answered");
