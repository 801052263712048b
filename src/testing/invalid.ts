import { FaultcoreError } from "../errors.ts";

/** The error of a helper, `where`, that was given what it cannot take. */
export function invalid(where: string, what: string, expected: string): FaultcoreError {
  return new FaultcoreError("ERR_FAULTCORE_INVALID_ARGUMENT", `${where} ${what}.`, { expected });
}
