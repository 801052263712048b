/**
 * One monotonic clock for all threads of the process, in nanoseconds.
 *
 * `performance.now()` starts at another instant in each thread; `process.hrtime` does not. Both are bound when this module loads, so
 * that fake timers, which replace properties of globals, do not stop the clock.
 */
import { performance } from "node:perf_hooks";

const now = performance.now.bind(performance);
const hrtime = process.hrtime.bigint.bind(process.hrtime);

function offset(): number {
  // The pair is read a few times and the tightest one kept: a thread switch between the two readings would shift the clock.
  let best = 0;
  let width = Infinity;
  for (let n = 0; n < 5; n++) {
    const before = now();
    const at = Number(hrtime());
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
