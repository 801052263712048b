/** The names that events and reports have for faults, for checking what a test asks about: a misspelt one was never injected. */
import { FaultcoreError } from "../errors.ts";

/** In the engine's order; a test compares the two. */
export const FAULT_NAMES = [
  "latency",
  "jitter",
  "rate",
  "packet_loss",
  "burst_loss",
  "timeout",
  "connection_error",
  "correlated_loss",
  "half_open",
  "packet_duplicate",
  "packet_reorder",
  "dns",
  "session_budget",
  "payload_mutation",
  "schedule",
] as const;

/** A fault as events name it: the policy field in snake_case. */
export type InjectedFault = (typeof FAULT_NAMES)[number];

export function checkFaultName(fault: string | undefined, where: string): void {
  if (fault === undefined || (FAULT_NAMES as readonly string[]).includes(fault)) return;
  const expected = `one of ${FAULT_NAMES.join(", ")}`;
  throw new FaultcoreError("ERR_FAULTCORE_INVALID_ARGUMENT", `${where}: there is no fault "${fault}"; expected ${expected}.`, {
    expected,
  });
}
