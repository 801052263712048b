/** Measuring: a clock that all threads share and no fake timer stops, and figures of a sample. */

const hrtime = process.hrtime.bigint.bind(process.hrtime);

/** Milliseconds on the monotonic clock of the machine: comparable across threads. */
export function nowMs(): number {
  return Number(hrtime()) / 1e6;
}

/** How long `run` takes, in ms, and what it gives. */
export async function timed<T>(run: () => Promise<T>): Promise<{ readonly ms: number; readonly value: T }> {
  const began = nowMs();
  const value = await run();
  return { ms: nowMs() - began, value };
}

/** What a promise rejects with; throws when it does not. */
export async function failureOf(promise: Promise<unknown>): Promise<NodeJS.ErrnoException> {
  try {
    await promise;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
  throw new Error("did not fail");
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** `median [least, most]` for people. */
export function figures(values: readonly number[]): string {
  return `${median(values).toFixed(2)} [${Math.min(...values).toFixed(2)}, ${Math.max(...values).toFixed(2)}]`;
}

/** Runs a measurement that a noisy machine can spoil up to three times; gives the last one. Bounds that must hold always go into `measure`. */
export async function upToThreeTimes<T>(measure: () => Promise<T>, good: (value: T) => boolean): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    const value = await measure();
    if (attempt === 3 || good(value)) return value;
  }
}
