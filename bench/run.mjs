// `npm run bench [-- --quick]`: what faultcore costs, as ratios to the same work done directly, in one interleaved run.
// Machines are noisy: every figure is a median of paired runs, and nothing here passes or fails.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpus, totalmem } from "node:os";
import { fileURLToPath } from "node:url";

const quick = process.argv.includes("--quick");
const script = (name) => fileURLToPath(new URL(`./work/${name}.mjs`, import.meta.url));

/** Runs one piece of work in a process of its own and returns the object that it prints. */
async function measure(name, args, env = {}) {
  const child = spawn(process.execPath, [script(name), ...args.map(String)], {
    stdio: ["ignore", "pipe", "inherit"],
    env: { ...process.env, ...env },
  });
  let text = "";
  child.stdout.on("data", (chunk) => (text += chunk));
  const [code] = await once(child, "close");
  if (code !== 0) throw new Error(`${name} ${args.join(" ")} ended with ${code}`);
  return JSON.parse(text);
}

const sorted = (values) => values.toSorted((a, b) => a - b);
const median = (values) => sorted(values)[values.length >> 1];

/** A 95 % interval of the median, without assuming a distribution: order statistics (binomial, normal approximation). */
function interval(values) {
  const order = sorted(values);
  const half = 0.98 * Math.sqrt(order.length);
  const at = (index) => order[Math.min(order.length - 1, Math.max(0, Math.round(index)))];
  return [at(order.length / 2 - half - 0.5), at(order.length / 2 + half - 0.5)];
}

/** The ratio of two ways of doing the same work: in turn, the order swapped each time. */
async function compare(label, unit, pairs, one, other) {
  const ratios = [];
  const values = [[], []];
  for (let pair = -1; pair < pairs; pair++) {
    const first = pair % 2 === 0;
    const a = first ? await one() : undefined;
    const b = await other();
    const measured = [a ?? (await one()), b];
    if (pair < 0) continue; // warm-up
    ratios.push(measured[1] / measured[0]);
    values[0].push(measured[0]);
    values[1].push(measured[1]);
  }
  const [low, high] = interval(ratios);
  const digits = (value) => value.toPrecision(4);
  rows.push([
    label,
    `${digits(median(values[0]))} ${unit}`,
    `${digits(median(values[1]))} ${unit}`,
    median(ratios).toFixed(3),
    `${low.toFixed(3)}–${high.toFixed(3)}`,
  ]);
}

const rows = [];
const server = spawn(process.execPath, [script("server")], { stdio: ["ignore", "pipe", "inherit"] });
try {
  const [ports] = await once(server.stdout.setEncoding("utf8"), "data");
  const { http, echo, bulk } = JSON.parse(ports);
  // Two processes that do the same differ by some percent (where their code and heap happen to lie): many short pairs tell more than few long ones.
  const pairs = quick ? 1 : 60;
  const requests = quick ? 500 : 3000;
  const cpu = async (mode) => (await measure("http-cpu", [mode, http, requests])).cpuUsPerRequest;
  await compare(
    "CPU per http request: imported and used once, scope over",
    "µs",
    pairs,
    () => cpu("direct"),
    () => cpu("idle"),
  );
  if (!quick) {
    await compare(
      "the same, directly both times: what this machine's noise makes of no difference",
      "µs",
      pairs,
      () => cpu("direct"),
      () => cpu("direct"),
    );
  }

  const trips = async (mode) => (await measure("round-trips", [mode, echo, quick ? 200 : 5000])).p50Us;
  await compare(
    "64-byte round trip p50: steered, empty policy",
    "µs",
    quick ? 1 : 5,
    () => trips("direct"),
    () => trips("steered"),
  );

  const megabytes = quick ? 20 : 500;
  const flow = async (mode, direction) => (await measure("bulk", [mode, bulk, direction, megabytes])).mbPerS;
  for (const direction of ["down", "up"]) {
    await compare(
      `bulk ${direction}, 1 flow: steered, empty policy`,
      "MB/s",
      quick ? 1 : 5,
      () => flow("direct", direction),
      () => flow("steered", direction),
    );
  }
} finally {
  server.kill();
}

const columns = ["work", "direct", "faultcore", "ratio", "95 % of the median ratio"];
console.log(
  `Node ${process.version}, ${process.platform} ${process.arch}, ${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown CPU"}, ${Math.round(totalmem() / 2 ** 30)} GiB\n`,
);
for (const row of [columns, columns.map(() => "---"), ...rows]) console.log(`| ${row.join(" | ")} |`);
