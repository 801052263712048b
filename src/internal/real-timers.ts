/** The timers that this thread waits by, whatever fakes stand in their places. */
import { clearImmediate, clearTimeout, setImmediate, setTimeout } from "node:timers";

/** Taken at load: fake timers replace it. */
export const nextTick: typeof process.nextTick = process.nextTick.bind(process);

/**
 * Whether the named imports of `node:timers`, by which this thread waits, are Node's own. False where fake timers had replaced the properties
 * of `node:timers` before anything imported their names: those names are the fakes then, for good. Node's own timers are links of a
 * list; fakes are not.
 */
export function timersAreReal(): boolean {
  const timeout = setTimeout(() => {}, 1_000_000);
  clearTimeout(timeout);
  const immediate = setImmediate(() => {});
  clearImmediate(immediate);
  return "_idleNext" in timeout && "_idleNext" in immediate;
}
