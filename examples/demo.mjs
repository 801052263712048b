// What a slow link does to a small program, on real sockets: `npm run demo`.
//
// An HTTP server runs in a worker thread, so that its clock is its own. The program below it knows nothing of faultcore. It runs three
// times: on a clean network, under the policy `slow_link` without its timeouts, and under `slow_link` as it is written. What was measured is
// then compared with what was asked for; a contradiction ends the demo with exit code 1.
import http from "node:http";
import net from "node:net";
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { faultScope, install, isInjected, registerPolicy, runSeed } from "faultcore";

const FILE_BYTES = 250_000;
const CONNECTS = 5;
const REQUESTS = 10;
const DOWNLOADS = 3;

// ── the server ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

function serve() {
  const file = Buffer.alloc(FILE_BYTES, "faultcore ");
  const server = http.createServer((request, response) => {
    response.end(request.url === "/file" ? file : "hello\n");
  });
  server.listen(0, "127.0.0.1", () => parentPort.postMessage(server.address().port));
}

// ── the program: plain node:net and node:http ─────────────────────────────────────────────────────────────────────────────────

/** How long an operation took, and the error that it ended with. */
async function timed(operation) {
  const start = performance.now();
  const error = await operation().then(
    () => undefined,
    (reason) => reason,
  );
  return { ms: performance.now() - start, error };
}

function connect(port) {
  return new Promise((resolve, reject) => {
    const socket = net.connect(port, "127.0.0.1");
    socket.on("error", reject);
    socket.on("connect", () => {
      socket.destroy();
      resolve();
    });
  });
}

function get(port, agent, path) {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: "127.0.0.1", port, agent, path }, (response) => {
      let bytes = 0;
      response.on("data", (chunk) => (bytes += chunk.length));
      response.on("end", () => resolve(bytes));
      response.on("error", reject);
    });
    request.on("error", reject);
  });
}

async function repeat(times, operation) {
  const samples = [];
  for (let n = 0; n < times; n++) samples.push(await timed(operation));
  return samples;
}

async function program(port) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const connects = await repeat(CONNECTS, () => connect(port));
  // The first request opens the connection that the others use.
  const first = await timed(() => get(port, agent, "/"));
  const requests = first.error ? [first] : await repeat(REQUESTS, () => get(port, agent, "/"));
  const downloads = first.error ? [] : await repeat(DOWNLOADS, () => get(port, agent, "/file"));
  agent.destroy();
  return { connects, requests, downloads };
}

// ── the demo ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────

const slowLink = {
  latency: "50ms",
  jitter: "10ms",
  packetLoss: "1%",
  burstLoss: 3,
  rate: "2mbps",
  timeout: { connect: "20ms", recv: "20ms" },
};
const { timeout: _, ...withoutTimeouts } = slowLink;

/** What the two policies ask for. A round trip takes the delay of both directions. */
const ROUND_TRIP_MS = { least: 100, most: 120 };
const RATE_BPS = 2e6;
const SERIALISATION_MS = (FILE_BYTES * 8 * 1000) / RATE_BPS;
const TIMEOUT_MS = 20;
/** For a busy machine. */
const SLACK_MS = 25;

const problems = [];

function check(holds, problem) {
  if (!holds) problems.push(problem);
}

function checkClean({ connects, requests, downloads }) {
  for (const { error } of [...connects, ...requests, ...downloads]) check(!error, `clean: failed with ${error?.message}`);
}

/**
 * Never early; and the quickest not late either. The others may be: one packet in a hundred is lost, and the machine may be busy.
 */
function checkTimes(what, samples, leastMs, mostMs) {
  for (const { ms } of samples) check(ms >= leastMs, `${what}: one took only ${text(ms)}, ${text(leastMs)} were asked for`);
  const quickest = sorted(samples)[0] ?? 0;
  check(quickest <= mostMs + SLACK_MS, `${what}: the quickest took ${text(quickest)}, ${text(mostMs)} were asked for`);
}

function checkSlow(slow, clean, events) {
  for (const { error } of [...slow.connects, ...slow.requests, ...slow.downloads])
    check(!error, `slow link: failed with ${error?.message}`);
  const { least, most } = ROUND_TRIP_MS;
  checkTimes("slow link, connect", slow.connects, least, most + median(clean.connects));
  checkTimes("slow link, request", slow.requests, least, most + median(clean.requests));
  const lost = events.filter(({ decision }) => decision.startsWith("lost"));
  const recovered = events.filter(({ decision }) => decision === "recovered");
  // A loss costs the time until it is repaired, and what is sent again takes its time on the link again.
  const lossMs = recovered.reduce((total, { delayMs }) => total + delayMs, 0) + (lost.length * 5 * 1460 * 8 * 1000) / RATE_BPS;
  checkTimes("slow link, 250 kB", slow.downloads, least + SERIALISATION_MS, most + 1.2 * SERIALISATION_MS + lossMs);
}

function checkTimeouts({ connects, requests }, clean) {
  const samples = [...connects, ...requests];
  checkTimes("slow_link, connect", samples, TIMEOUT_MS, TIMEOUT_MS + median(clean.connects));
  for (const { error } of samples) {
    check(error?.code === "ETIMEDOUT", `slow_link: expected ETIMEDOUT, not ${error?.message ?? "success"}`);
    check(isInjected(error), "slow_link: the error does not come from a fault");
  }
}

function sorted(samples) {
  return samples.map(({ ms }) => ms).toSorted((a, b) => a - b);
}

function median(samples) {
  return sorted(samples)[Math.floor(samples.length / 2)] ?? 0;
}

function text(ms) {
  return ms === Infinity ? "for ever" : `${ms.toFixed(ms < 100 ? 1 : 0)} ms`;
}

function megabits(ms) {
  return `${((FILE_BYTES * 8) / ms / 1000).toPrecision(3)} Mbit/s`;
}

/** Least, median and most of the times; then how it ended. */
function row(under, what, asked, samples, roundTripMs) {
  if (samples.length === 0) return [under, what, asked, "-", "-", "-", "not reached"];
  const times = sorted(samples);
  const codes = samples.flatMap(({ error }) => (error ? [error.code] : []));
  const ended = codes.length > 0 ? `${codes.length} x ${codes[0]}` : "ok";
  const middle = median(samples);
  const rate = roundTripMs === undefined || codes.length > 0 ? "" : `, ${megabits(middle - roundTripMs)}`;
  return [under, `${what} (${samples.length})`, asked, text(times[0]), text(middle), text(times.at(-1)), ended + rate];
}

function printTable(head, rows) {
  const widths = head.map((title, column) => Math.max(title.length, ...rows.map((cells) => cells[column].length)));
  const line = (cells) => console.log(`  ${cells.map((cell, column) => cell.padEnd(widths[column])).join("  ")}`.trimEnd());
  line(head);
  line(widths.map((width) => "-".repeat(width)));
  for (const cells of rows) line(cells);
}

function printFaults(title, scope) {
  const { injected, faults, silentFaults } = scope.report();
  console.log(`\n${title}: ${injected} injected decisions`);
  for (const [fault, { count, maxDelayMs, codes }] of Object.entries(faults)) {
    const raised = Object.entries(codes).map(([code, times]) => `, ${times} x ${code}`);
    console.log(`  ${fault.padEnd(12)} ${String(count).padStart(4)}  up to ${text(maxDelayMs)} each${raised.join("")}`);
  }
  for (const fault of silentFaults) console.log(`  ${fault.padEnd(12)}    0  had no chance to act, or no packet was unlucky`);
}

function printEvents(events) {
  const cells = events.map(({ timeMs, target, flow, direction, position, bytes, fault, decision, delayMs }) => [
    text(timeMs),
    `${target} flow ${flow}`,
    direction,
    position,
    String(bytes),
    `${fault}: ${decision}`,
    text(delayMs),
  ]);
  printTable(["time", "flow", "direction", "position", "bytes", "decision", "delay"], cells);
}

async function demo() {
  const server = new Worker(new URL(import.meta.url));
  const port = await new Promise((resolve, reject) => server.once("message", resolve).once("error", reject));
  // Optional: the first scope would start the relay's thread too, and its first connect would wait for it.
  install();
  registerPolicy("slow_link", slowLink);
  registerPolicy("slow_link_without_timeouts", withoutTimeouts);

  console.log(`faultcore demo, seed ${runSeed()}. The same decisions again: FAULTCORE_SEED=${runSeed()} npm run demo\n`);
  console.log("slow_link: latency 50 ms and jitter 10 ms each way, packet_loss 1 % in bursts of 3, rate 2 Mbit/s, timeouts 20 ms\n");

  const clean = await program(port);
  const slow = faultScope("slow_link_without_timeouts");
  const slowRun = await slow.run(() => program(port));
  const strict = faultScope("slow_link");
  const strictRun = await strict.run(() => program(port));
  await server.terminate();

  const roundTrip = "100 to 120 ms, more after a loss";
  printTable(
    ["network", "what (times)", "asked for", "least", "median", "most", "result"],
    [
      row("clean", "connect", "nothing", clean.connects),
      row("clean", "request", "nothing", clean.requests),
      row("clean", "250 kB", "nothing", clean.downloads, 0),
      row("slow, no timeouts", "connect", roundTrip, slowRun.connects),
      row("slow, no timeouts", "request", roundTrip, slowRun.requests),
      row("slow, no timeouts", "250 kB", "at most 2 Mbit/s", slowRun.downloads, ROUND_TRIP_MS.least),
      row("slow_link", "connect", "ETIMEDOUT at 20 ms", strictRun.connects),
      row("slow_link", "request", "ETIMEDOUT at 20 ms", strictRun.requests),
      row("slow_link", "250 kB", "", strictRun.downloads),
    ],
  );
  console.log("  The rate is reckoned after one round trip of 100 ms. A connect to slow_link needs 100 ms and has 20: it rightly fails.");

  printFaults("slow, no timeouts", slow);
  printFaults("slow_link", strict);

  const events = slow.events();
  const losses = events.filter(({ fault }) => fault.endsWith("loss")).slice(0, 4);
  console.log("\nSome of the events (position: exchange.cell.split of the packet, or the address of a connect)");
  printEvents([...events.slice(0, 4), ...losses, ...strict.events().slice(-1)].toSorted((a, b) => a.timeMs - b.timeMs));

  checkClean(clean);
  checkSlow(slowRun, clean, events);
  checkTimeouts(strictRun, clean);
  if (problems.length === 0) {
    console.log("\nWhat was measured agrees with what was asked for.");
    return;
  }
  console.error(`\nWhat was measured contradicts what was asked for (seed ${runSeed()}):`);
  for (const problem of problems) console.error(`  ${problem}`);
  process.exitCode = 1;
}

if (isMainThread) await demo();
else serve();
