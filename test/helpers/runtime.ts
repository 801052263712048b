/** The inside of the built package, for tests that break it: its runtime, its relay. And a wait for a condition. */
import { setTimeout as delay } from "node:timers/promises";
import type { Runtime } from "../../src/runtime/runtime.ts";

const POLL_MS = 5;

/** The runtime of this thread: the one that `import "faultcore"` uses. */
export async function runtime(): Promise<Runtime> {
  const inside = (await import(new URL("../fixtures/programs/runtime.mjs", import.meta.url).href)) as { getRuntime(): Runtime };
  return inside.getRuntime();
}

/** Resolves when the condition holds; fails, naming it, when it does not within the time. */
export async function until(what: string, condition: () => boolean, limitMs = 15_000): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${limitMs} ms: ${what}`);
    await delay(POLL_MS);
  }
}
