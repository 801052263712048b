const NOTHING = new Int32Array(new SharedArrayBuffer(4));

/** Blocks the thread for so many milliseconds, or parts of one. */
export function sleep(ms: number): void {
  Atomics.wait(NOTHING, 0, 0, ms);
}
