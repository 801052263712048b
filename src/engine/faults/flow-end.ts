/**
 * How a fault ends a flow in the middle of its life, and whether it does so under a schedule. `half_open` and `session_budget` say when;
 * the relay, and the adapters of the program's thread, carry it out.
 */
import { Draws, type Position } from "../draw.ts";
import { FAULT_IDS, type FaultName } from "../registry.ts";
import { type DrawKey, UPLINK } from "../types.ts";

export interface FlowEnd {
  /** How long the flow is silent first: no end, no reset, no byte, either way. `Infinity`: until its socket closes. */
  readonly silentNs: number;
  /** The error that the program's next read gives then; undefined: none. */
  readonly code: "ECONNRESET" | "EHOSTUNREACH" | "ETIMEDOUT" | undefined;
}

export const SILENCE: FlowEnd = { silentNs: Infinity, code: undefined };

/** Once per flow: under a schedule a fault that ends flows does so with probability `severity`. */
export function actsOnFlow(key: DrawKey, fault: FaultName, severity: number): boolean {
  const at: Position = { direction: UPLINK, exchange: 0, cell: 0, split: 0 };
  // The fault's number as the attempt: two such faults of one flow have a fate each.
  return new Draws(key).hits(at, "schedule", FAULT_IDS[fault], severity * 1_000_000);
}
