/** Scopes that are aborted with a signal of the program: one listener per signal, however many scopes follow it. */

/** What is told the signal's reason. Scopes of calls can be many at once, and Node 20 warns of the eleventh listener. */
const followers = new WeakMap<AbortSignal, Set<(reason: unknown) => void>>();

/** Calls back when the signal is aborted, now where it is already. Returns what ends that. */
export function followSignal(signal: AbortSignal, abort: (reason: unknown) => void): () => void {
  if (signal.aborted) {
    abort(signal.reason);
    return () => {};
  }
  const known = followers.get(signal);
  const set = known ?? new Set();
  set.add(abort);
  if (known === undefined) {
    followers.set(signal, set);
    const onAbort = (): void => {
      for (const each of set) each(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
  }
  return () => void set.delete(abort);
}
