import { FaultcoreError } from "../../../src/errors.ts";

/** The FaultcoreError that a function throws. Anything else fails the test. */
export function caught(run: () => unknown): FaultcoreError {
  let result: unknown;
  try {
    result = run();
  } catch (error) {
    if (error instanceof FaultcoreError) return error;
    throw error;
  }
  throw new Error(`nothing was thrown; the result is ${String(result)}`);
}
