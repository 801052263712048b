// CPU time by who used it: the program's own thread, the relay's, another process. On Linux from /proc; elsewhere only the total is known.
import { readFileSync, readdirSync } from "node:fs";

const linux = process.platform === "linux";
const list = (pid) => (linux ? readdirSync(`/proc/${pid}/task`) : []);
let before = [];
let relay;

/** Time on a CPU, in ms. The kernel counts it in ns in `schedstat`, where that is built in, else in ticks of 10 ms in `stat`. */
function threadMs(pid, thread) {
  const ns = Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]);
  if (ns > 0) return ns / 1e6;
  const fields = readFileSync(`/proc/${pid}/task/${thread}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** All threads of a process that live now. */
const processMs = (pid) => list(pid).reduce((sum, thread) => sum + threadMs(pid, thread), 0);

/** Called before the relay is started and after: its thread is the one that is new. */
export function noteThreads() {
  before = list(process.pid);
}
export function noteRelay() {
  const born = list(process.pid).filter((thread) => !before.includes(thread));
  // Should another thread have come up beside it: the relay is what has worked most, it has just loaded its code.
  relay = born.toSorted((a, b) => threadMs(process.pid, b) - threadMs(process.pid, a))[0];
}

/** Starts to count. The function that it returns gives CPU ms since: `program`, `relay` (or the proxy `pid` in its place), `total` of this process. */
export function countCpu(pid) {
  const read = () => ({
    program: linux ? threadMs(process.pid, process.pid) : undefined,
    relay: pid === undefined ? relay && threadMs(process.pid, relay) : linux ? processMs(pid) : undefined,
  });
  const start = read();
  const usage = process.cpuUsage();
  return () => {
    const end = read();
    const { user, system } = process.cpuUsage(usage);
    const since = (key) => (end[key] === undefined ? undefined : end[key] - start[key]);
    return { program: since("program"), relay: since("relay"), total: (user + system) / 1000 };
  };
}

/** Resident memory of a process, in KB. */
export function residentKb(pid = process.pid) {
  if (pid === process.pid) return process.memoryUsage.rss() / 1000;
  return (Number(/^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))[1]) * 1024) / 1000;
}
