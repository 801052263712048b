// Which cases vary by themselves: runs the fixture many times and compares each trace with the first one.
//   node test/parity/stability.mjs [--runs 20] [--parallel 2] [--area name] [--case name] [--node path ...] [--import module]
// With --import, all runs but the first are made with that module preloaded (steered), which compares without vitest.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { difference } from "./kit/difference.mjs";

const { values } = parseArgs({
  options: {
    runs: { type: "string", default: "20" },
    parallel: { type: "string", default: "2" },
    area: { type: "string", multiple: true, default: [] },
    case: { type: "string", multiple: true, default: [] },
    node: { type: "string", multiple: true, default: [process.execPath] },
    import: { type: "string" },
    quiet: { type: "boolean", default: false },
  },
});
const fixture = fileURLToPath(new URL("fixture.mjs", import.meta.url));
const selection = [...values.area.flatMap((area) => ["--area", area]), ...values.case.flatMap((name) => ["--case", name])];

function start(node, args) {
  return new Promise((resolve) => {
    const child = spawn(node, args, { stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let errors = "";
    child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
    child.stderr.setEncoding("utf8").on("data", (text) => (errors += text));
    const timer = setTimeout(() => child.kill("SIGKILL"), 120_000);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      resolve({ output, errors, code, signal });
    });
  });
}

async function traces(node, args) {
  const { output, errors, code, signal } = await start(node, args);
  const lines = output
    .split("\n")
    .filter((line) => line.startsWith('{"case"'))
    .map((line) => JSON.parse(line));
  const result = new Map(lines.map((line) => [line.case, line.trace]));
  result.set(`the process of ${args.at(-1)} ends by itself`, { process: [`code ${code}, signal ${signal} ${errors.slice(0, 2000)}`] });
  return result;
}

const listed = JSON.parse((await start(process.execPath, [fixture, "--list", ...selection.slice(0, 2 * values.area.length)])).output);
const jobs = [];
for (const node of values.node) {
  for (const area of Object.keys(listed)) {
    if (values.case.length > 0 && !listed[area].some((name) => values.case.includes(name))) continue;
    for (let run = 0; run < Number(values.runs); run++) jobs.push({ node, area, run });
  }
}

const seen = new Map();
async function work() {
  for (let job = jobs.shift(); job !== undefined; job = jobs.shift()) {
    const { node, area, run } = job;
    const preload = values.import !== undefined && run > 0 ? ["--import", values.import] : [];
    const names = values.case.flatMap((name) => ["--case", name]);
    const result = await traces(node, [...preload, fixture, "--stream", ...names, "--area", area]);
    for (const [name, trace] of result) {
      const key = `${node}\0${name}`;
      if (!seen.has(key)) seen.set(key, new Map());
      const variants = seen.get(key);
      const text = JSON.stringify(trace);
      if (!variants.has(text)) variants.set(text, []);
      variants.get(text).push(run);
    }
  }
}
await Promise.all(Array.from({ length: Number(values.parallel) }, work));

let varying = 0;
for (const [key, variants] of seen) {
  if (variants.size === 1) continue;
  varying++;
  const [node, name] = key.split("\0");
  const sorted = [...variants].sort((a, b) => Math.min(...a[1]) - Math.min(...b[1]));
  console.log(`\n${node}: "${name}" has ${variants.size} traces: ${sorted.map(([, runs]) => runs.length).join(" + ")} runs`);
  if (values.quiet) continue;
  for (const [text, runs] of sorted.slice(1, 4)) {
    console.log(`  runs ${runs.slice(0, 6).join(" ")}:\n${difference(JSON.parse(sorted[0][0]), JSON.parse(text))}`);
  }
}
console.log(`${varying} of ${seen.size} cases vary`);
process.exitCode = varying > 0 ? 1 : 0;
