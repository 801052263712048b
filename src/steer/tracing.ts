/**
 * Clients that tell on Node's tracing channels for whom they call back. A pool that was exhausted gives its connection to the caller
 * that waited longest in the context of whoever gave it back: what that caller does then belongs to the caller.
 */
import type { Patches } from "./patches.ts";
import type { Here, Router } from "./router.ts";

/** One operation is one message: published where it is asked for, and around the callback. */
const CHANNELS = ["mysql2:pool:connect"];

export function watchTracing(patches: Patches, router: Router): void {
  const callers = new WeakMap<object, Here>();
  const leave = new WeakMap<object, () => void>();
  const listeners: Readonly<Record<string, (message: unknown) => void>> = {
    start: (message) => {
      if (router.isBusy()) callers.set(message as object, router.here());
    },
    asyncStart: (message) => {
      const caller = callers.get(message as object);
      if (caller !== undefined) leave.set(message as object, router.enter(caller));
    },
    asyncEnd: (message) => leave.get(message as object)?.(),
  };
  for (const channel of CHANNELS) {
    for (const [step, listener] of Object.entries(listeners)) {
      patches.listen(`tracing:${channel}:${step}`, listener);
    }
  }
}
