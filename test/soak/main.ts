/**
 * Endurance: `npm run soak [-- --minutes 10] [--seed 1]`. All clients at once, at least 300 connections, scopes that open and close all the time,
 * with faults that delay, lose, reset, stall and change bytes. What must hold, or the run fails:
 *
 * - every operation ends, with its result or with an error of a kind that its fault makes (expected.ts);
 * - what is in no scope never sees a fault, on shared connections and on its own, and what comes back is what was sent;
 * - nothing that is delayed comes early;
 * - memory of both threads, descriptors, handles and rows of the table do not grow (TOLERANCE in watch.ts), and are back where they were when all is closed;
 * - the process exits by itself (run.mjs waits for that).
 */
import { fork } from "node:child_process";
import { lookup } from "node:dns/promises";
import { once, setMaxListeners } from "node:events";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { install, onFault, withFaults } from "faultcore";
import { until } from "../helpers/runtime.ts";
import { Actor } from "./actors.ts";
import { CLIENTS } from "./clients.ts";
import { activateNowAndThen, mutate, overTcp } from "./extras.ts";
import { Random } from "./random.ts";
import { registerFaults } from "./scopes.ts";
import type { Places } from "./servers.ts";
import { Sessions } from "./sessions.ts";
import { Tally, quantile } from "./tally.ts";
import { Watch, connectedTo, grown } from "./watch.ts";
import type { Counts, Window } from "./watch.ts";
import { printFigures } from "./figures.ts";

const LEAST_FLOWS = 300;
/** For each client, besides the one that measures. */
const ACTORS = 6;
const SAMPLE_MS = 1_000;
/** A shorter run is still warming up: what grows is shown, and not judged. */
const JUDGED_MINUTES = 2;
/** The median of unfaulted operations is at most this, and so many times what a byte takes there and back without faultcore. */
const SANE_MS = 100;
const SANE_TIMES = 30;
/** Clients may wait for silent connections before they close them. */
const SETTLE_MS = 30_000;

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "10" }, seed: { type: "string", default: "1" }, only: { type: "string", default: "" } },
});
const [minutes, seed] = [Number(values.minutes), Number(values.seed)];
if (!(minutes > 0) || !Number.isInteger(seed))
  throw new Error("usage: npm run soak -- [--minutes 10] [--seed 1] [--only <part of a client's name>]");
const runMs = minutes * 60_000;
// A quarter to warm up, two minutes at most; then windows of half a minute at most.
const warmMs = Math.min(runMs / 4, 120_000);
const windowMs = Math.min((runMs - warmMs) / 3, 30_000);

const tally = new Tally();

const clients = CLIENTS.filter(({ name }) => name.includes(values.only));
const wanted = new Set([...clients.map(({ server }) => server), "echo", "udp", "activated"]);
const servers = fork(fileURLToPath(new URL("servers.js", import.meta.url)), [...wanted], { execArgv: [] });
const [places] = (await once(servers, "message")) as [Places];
install({ steer: "always", seed });
registerFaults();
const watch = await Watch.start();
const faults = new Map<string, number>();
const stopListening = onFault(({ fault }) => faults.set(fault, (faults.get(fault) ?? 0) + 1));
// What the first connection and the first lookup open is open for good.
await withFaults({ latency: "1ms" }, () => overTcp(places["echo"] as number));
await lookup("localhost");
await until("the first connection is closed", () => watch.counts().flows === 0);
const before: Counts = watch.counts();

const used: Sessions[] = [];
for (const client of clients) {
  const place = places[client.server];
  if (typeof place !== "number") {
    console.log(`left out: ${client.name}: ${place}`);
    continue;
  }
  const sessions = new Sessions(client, place, tally);
  await sessions.open();
  used.push(sessions);
}
console.log(`${used.length} clients, ${watch.counts().flows} connections, ${minutes} minutes, seed ${seed}`);

// From here on nothing ends the run but its time.
process.on("unhandledRejection", (error) => tally.violated("an unhandled rejection", error));
process.on("uncaughtException", (error) => tally.violated("an uncaught exception", error));
process.on("warning", (warning) => tally.violated("a warning", warning));
const stop = new AbortController();
setMaxListeners(0, stop.signal);
const [tcp, udp] = [places["echo"], places["udp"]] as [number, number];
let stream = 0;
const random = (): Random => new Random(seed * 1_000 + stream++);
const load = Promise.all([
  ...used.flatMap((sessions) => [
    new Actor(random(), tally, sessions, stop.signal).control(),
    ...Array.from({ length: ACTORS }, () => new Actor(random(), tally, sessions, stop.signal).run()),
  ]),
  mutate(random(), tally, { tcp, udp }, stop.signal),
  mutate(random(), tally, { tcp, udp }, stop.signal),
  activateNowAndThen(random(), tally, places["activated"] as number, stop.signal),
]);

watch.begin();
const began = performance.now();
const windows: Window[] = [];
let windowEndsMs = warmMs;
let minute = 1;
await new Promise<void>((resolve) => {
  const timer = setInterval(() => {
    watch.sample();
    const atMs = performance.now() - began;
    if (atMs >= windowEndsMs) {
      const window = watch.window();
      // The first one is the warm-up.
      if (windowEndsMs > warmMs) windows.push(window);
      windowEndsMs += windowMs;
    }
    if (atMs >= minute * 60_000) {
      const { rss, heapUsed } = process.memoryUsage();
      const { flows, scopes } = watch.counts();
      console.log(
        `${minute++} min: ${tally.operations} operations, ${flows} connections, ${scopes} scopes, rss ${Math.round(rss / 1e6)} MB, heap ${Math.round(heapUsed / 1e6)} MB, ${tally.violations} violations`,
      );
    }
    if (atMs >= runMs) {
      clearInterval(timer);
      resolve();
    }
  }, SAMPLE_MS);
});
watch.end();
stop.abort();
await load;
await Promise.all(used.map((sessions) => sessions.close()));
// The pool of fetch is the process's own, and is never closed by anybody.
await (globalThis as unknown as Record<symbol, { close(): Promise<void> }>)[Symbol.for("undici.globalDispatcher.1")]?.close();

const settled = (): boolean => {
  const { flows, scopes, descriptors, handles } = watch.counts();
  return flows === 0 && scopes === 0 && descriptors <= before.descriptors && handles <= before.handles;
};
await until("everything is closed", settled, SETTLE_MS).catch((error: unknown) => {
  tally.violated(`after the end there are connections to: ${connectedTo(places).join(", ")}`, error);
});
const after = watch.counts();
servers.send("measured");
const [directMs] = (await once(servers, "message")) as [number[]];
const limitMs = SANE_MS + SANE_TIMES * quantile(directMs, 0.5);
for (const [name, sample] of tally.controlMs) {
  const medianMs = quantile(sample, 0.5);
  if (medianMs > limitMs) tally.violated(`${name}: ${medianMs} ms without a fault, where ${limitMs} ms should do`);
}
const [first, last] = [windows[0], windows.at(-1)];
if (first === undefined || last === undefined) throw new Error("too short for two windows");
for (const growth of minutes < JUDGED_MINUTES ? [] : grown(first, last)) tally.violated(`it grew: ${growth}`);
if (values.only === "" && watch.flowsAtPeak < LEAST_FLOWS) tally.violated(`only ${watch.flowsAtPeak} connections at once`);
printFigures({ tally, watch, windows, faults, before, after, minutes, directMs });
stopListening();
servers.disconnect();
process.exitCode = tally.violations === 0 ? 0 : 1;
process.send?.("done");
