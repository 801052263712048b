/** The names that events and reports have for faults, for checking what a test asks about: a misspelt one was never injected. */
import { FAULT_IDS } from "../engine/registry.ts";
import type { FaultName } from "../engine/registry.ts";
import { FaultcoreError } from "../errors.ts";

/** A fault as events name it: the policy field in snake_case. */
export type InjectedFault = FaultName;

export const FAULT_NAMES: readonly string[] = Object.keys(FAULT_IDS);

export function checkFaultName(fault: string | undefined, where: string): void {
  if (fault === undefined || FAULT_NAMES.includes(fault)) return;
  const expected = `one of ${FAULT_NAMES.join(", ")}`;
  throw new FaultcoreError("ERR_FAULTCORE_INVALID_ARGUMENT", `${where}: there is no fault "${fault}"; expected ${expected}.`, {
    expected,
  });
}
