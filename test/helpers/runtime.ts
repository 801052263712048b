/** The inside of the built package, for tests that break it: its runtime, its relay. And a wait for a condition. */
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import type { Runtime } from "../../src/runtime/runtime.ts";

const POLL_MS = 5;
const kRuntime: unique symbol = Symbol.for("faultcore.runtime") as never;

/** The runtime of this thread: the one that `import "faultcore"` uses. */
export async function runtime(): Promise<Runtime> {
  await import("faultcore");
  const anchor = net.Socket.prototype as { [kRuntime]?: Runtime };
  return anchor[kRuntime]!;
}

/** Resolves when the condition holds; fails, naming it, when it does not within the time. */
export async function until(what: string, condition: () => boolean, limitMs = 15_000): Promise<void> {
  const deadline = performance.now() + limitMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`not within ${limitMs} ms: ${what}`);
    await delay(POLL_MS);
  }
}
