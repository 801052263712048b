// How exact an injected latency is: one way, from write to arrival at a server of this same process, so that one clock tells both. The
// time that the way takes without a latency is measured first and taken off, except from `earliestMs`, which is what arrived soonest.
// Between the packets a bare `setTimeout` of the same time runs: what it errs by is the machine's, and nobody can be better. In mode
// `direct` there is only that timer.
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { median, quantile } from "../kit/stats.mjs";
import { inMode, report, sleep, task } from "./modes.mjs";

const { delayMs, samples } = task;
let sentAt = [];
let took = [];
const server = createServer({ noDelay: true }, (socket) => {
  socket.on("error", () => {});
  // Each byte is a packet; a latency keeps them in order.
  socket.on("data", (data) => {
    const now = performance.now();
    for (let n = 0; n < data.length; n++) took.push(now - sentAt[took.length]);
  });
}).listen(0, "127.0.0.1");
await once(server, "listening");

/** Some time from 1 to 4 ms, always the same ones, so that packets and timers fall together by chance only. */
let state = 1;
const pause = () => sleep(1 + ((state = (state * 48_271) % 2_147_483_647) % 3000) / 1000);

/** Packets that are sent first and not counted: code is compiled while they pass, and each p99 is the fifth worst of 500. */
const WARM = task.samples >> 1;

async function packets(port, count, between) {
  sentAt = [];
  took = [];
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  for (let n = 0; n < WARM + count; n++) {
    await pause();
    sentAt.push(performance.now());
    socket.write("x");
    await pause();
    if (n >= WARM) between();
  }
  while (took.length < WARM + count) await sleep(5);
  socket.destroy();
  return took.slice(WARM);
}

const timers = [];
function startTimer() {
  const start = performance.now();
  setTimeout(() => timers.push(performance.now() - start - delayMs), delayMs);
}

async function onlyTimers() {
  for (let n = 0; n < samples; n++) {
    await pause();
    startTimer();
  }
  while (timers.length < samples) await sleep(5);
  report({ p50Ms: quantile(timers, 0.5), p99Ms: quantile(timers, 0.99) });
}

async function delayed(port, proxy) {
  const bare = async () => packets(proxy === undefined ? port : await proxy.proxy(server.address().port), samples, () => {});
  const scoped = async () => (await import("faultcore")).withFaults({}, bare);
  const base = median(await (proxy === undefined ? scoped() : bare()));
  const times = await packets(port, samples, startTimer);
  while (timers.length < samples) await sleep(5);
  const beyond = (share) => quantile(times, share) - base - delayMs - quantile(timers, share);
  const wholeP50Ms = quantile(times, 0.5) - base - delayMs;
  report({ p50Ms: beyond(0.5), p99Ms: beyond(0.99), wholeP50Ms, earliestMs: quantile(times, 0) - delayMs });
}

await inMode(task.mode === "direct" ? onlyTimers : delayed, server.address().port);
server.close();
