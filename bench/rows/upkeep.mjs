// What it takes to be there: memory and CPU time of connections that do nothing, and start-up.
import { readFileSync } from "node:fs";

/** Descriptors that a process may have. Node raises its soft limit to the hard one by itself. */
function descriptors() {
  if (process.platform !== "linux") return 8192;
  return Number(/^Max open files\s+\S+\s+(\S+)/m.exec(readFileSync("/proc/self/limits", "utf8"))?.[1]) || Infinity;
}

// A steered connection has three: the program's, the relay's end of the leg, the relay's to the peer.
const mostFlows = Math.floor((descriptors() - 500) / 3);

function idle(wanted) {
  const flows = Math.min(wanted, mostFlows);
  const number = wanted.toLocaleString("en");
  const label = flows < wanted ? `${flows.toLocaleString("en")} idle flows (descriptors do for no ${number})` : `${number} idle flows`;
  return {
    work: "idle-flows",
    port: "echo",
    rounds: 2,
    modes: ["direct", "steered", "policy", "toxiproxy"],
    policy: { latency: "10ms" },
    task: { flows, idleMs: wanted === 10_000 ? 4000 : 2000 },
    quick: { flows: 100, idleMs: 200 },
    quickModes: ["direct", "steered", "toxiproxy"],
    inQuick: wanted === 1000,
    metrics: [
      {
        key: "kbPerFlow",
        label: `${label}: memory each, beyond what it is directly, KB`,
        plain: true,
        less: "direct",
        linux: true,
        goals: wanted === 10_000 ? [{ of: ["steered"], atMost: 25 }] : [],
      },
      {
        key: "cpuMsPerS",
        label: `${label}: CPU while nothing happens, beyond what it is directly, ms per s`,
        plain: true,
        less: "direct",
        linux: true,
        goals: wanted === 10_000 ? [{ of: ["steered"], atMost: 1 }] : [],
      },
    ],
  };
}

const startUp = {
  work: "startup",
  port: "echo",
  rounds: 7,
  modes: ["direct", "idle", "steered", "scope"],
  task: {},
  quick: {},
  metrics: [
    { key: "importMs", label: "start-up: import, ms", plain: true, modes: ["idle", "steered", "scope"] },
    { key: "firstMs", label: "start-up: first connection and a byte back, ms", plain: true },
  ],
};

export const upkeep = [idle(1000), idle(10_000), startUp];
