// `npm run bench [-- --quick] [--only words] [--rounds n] [--json file]`: what faultcore costs and how exact it is, beside the same work done
// directly and, where its server is there, beside Toxiproxy, in one interleaved run. docs/performance.md tells how to read it.
//
// Machines are noisy: every figure is a median of runs in turn, with its spread. No figure passes or fails; work that does not run does.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { runGroup } from "./kit/groups.mjs";
import { startServers } from "./kit/processes.mjs";
import { header, line, machine, rowsOf } from "./kit/table.mjs";
import { findToxiproxy, startToxiproxy } from "./kit/toxiproxy.mjs";
import { exactness } from "./rows/exactness.mjs";
import { throughput } from "./rows/throughput.mjs";
import { upkeep } from "./rows/upkeep.mjs";

const { values: options } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string", multiple: true },
    rounds: { type: "string" },
    json: { type: "string" },
  },
  allowPositionals: true,
});

/** A group is wanted when a word is in the labels of its rows. */
const words = (options.only ?? []).flatMap((text) => text.toLowerCase().split(","));
const wanted = ({ work, metrics }) => {
  const text = `${work} ${metrics.map(({ label }) => label).join(" ")}`.toLowerCase();
  return words.length === 0 || words.some((word) => text.includes(word.trim()));
};
const groups = [...throughput, ...exactness, ...upkeep].filter((group) => wanted(group) && !(options.quick && group.inQuick === false));
if (groups.length === 0) throw new Error(`No row has any of these words: ${words.join(", ")}`);

const toxiproxy = findToxiproxy();
let version;
if (toxiproxy !== undefined) {
  const server = await startToxiproxy(toxiproxy);
  ({ version } = server);
  server.close();
}

const before = machine(version);
const start = performance.now();
const servers = await startServers();
const rounds = options.rounds === undefined ? undefined : Number(options.rounds);
const context = { quick: options.quick, rounds, ports: servers.ports, toxiproxy };
const told = [];
const failures = [];
try {
  console.log(line(header));
  console.log(line(header.map(() => "---")));
  for (const group of groups) {
    const since = performance.now();
    try {
      const results = await runGroup(group, context);
      for (const row of rowsOf(group, results, options.quick)) console.log(line(row));
      told.push({ ...group, seconds: (performance.now() - since) / 1000, results });
    } catch (error) {
      failures.push(error);
      console.log(line([group.metrics[0].label, "did not run", ...header.slice(2).map(() => "")]));
    }
  }
} finally {
  servers.stop();
}

const seconds = Math.round((performance.now() - start) / 1000);
const after = machine(version);
console.log(
  `\nNode ${before.node}, ${before.platform}, ${before.cpus}, ${before.memoryGiB} GiB; load ${before.load[0]} before and ${after.load[0]} after; ${
    version === undefined ? "no Toxiproxy" : `Toxiproxy ${version}`
  }; ${seconds} s${options.quick ? "; --quick: these figures mean nothing" : ""}`,
);
if (options.json !== undefined)
  writeFileSync(options.json, `${JSON.stringify({ before, after, seconds, quick: options.quick, groups: told }, null, 2)}\n`);
for (const failure of failures) console.error(failure);
if (failures.length > 0) process.exitCode = 1;
