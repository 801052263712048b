/**
 * One monotonic clock for all threads of the process, in nanoseconds.
 *
 * `performance.now()` starts at another instant in each thread; `process.uptime()` does not. Fake timers replace `performance.now` and
 * `process.hrtime`, perhaps before this module loads; they leave the prototype's `now` and `uptime` as they are.
 */
import { performance } from "node:perf_hooks";

const now = (Object.getPrototypeOf(performance) as typeof performance).now.bind(performance);
const uptime = process.uptime.bind(process);

function offset(): number {
  // The pair is read a few times and the tightest one kept: a thread switch between the two readings would shift the clock.
  let best = 0;
  let width = Infinity;
  for (let n = 0; n < 5; n++) {
    const before = now();
    const at = uptime() * 1e9;
    const after = now();
    if (after - before < width) {
      width = after - before;
      best = at - ((before + after) / 2) * 1e6;
    }
  }
  return best;
}

const offsetNs = offset();

/** Nanoseconds on the process's monotonic clock. */
export function clockNs(): number {
  return now() * 1e6 + offsetNs;
}
