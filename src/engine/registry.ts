/**
 * The faults, one line each: the name that policies, events and reports have for it, and its number in the counter of every draw.
 *
 * A fault `some_fault` also has `faults/some-fault.ts`, its test and its page, which a test of the repository checks.
 * Append only: a number is never changed and never reused, not even after its fault is gone, because recorded runs and the golden traces
 * depend on it. At most 255.
 */
export const FAULT_IDS = {
  latency: 1,
  jitter: 2,
  rate: 3,
  packet_loss: 4,
  burst_loss: 5,
  timeout: 6,
  connection_error: 7,
  correlated_loss: 8,
  half_open: 9,
  packet_duplicate: 10,
  packet_reorder: 11,
  dns: 12,
  session_budget: 13,
  payload_mutation: 14,
  schedule: 15,
} as const;

/** Names of faults as events carry them: the policy field that caused the event, in snake_case as in files. */
export type FaultName = keyof typeof FAULT_IDS;

/** What events can be due to: a fault, or the option of a scope that resets connections. */
export type CauseName = FaultName | "existing_connections";

/** Causes by their numbers; 0 is what is no fault. */
export const CAUSES: ReadonlyMap<number, CauseName> = new Map<number, CauseName>([
  [0, "existing_connections"],
  ...Object.entries(FAULT_IDS).map(([fault, id]): [number, CauseName] => [id, fault as FaultName]),
]);

/** A map: V8 reads properties by changing names ten times slower. */
const NUMBERS: ReadonlyMap<CauseName, number> = new Map([...CAUSES].map(([id, cause]) => [cause, id]));

/** The number of a cause. */
export function causeNumber(cause: CauseName): number {
  return NUMBERS.get(cause) ?? 0;
}
