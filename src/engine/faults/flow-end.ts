/**
 * How a fault ends a flow in the middle of its life. `half_open` and `session_budget` say when; the relay, and the adapters of the
 * program's thread, carry it out.
 */

export interface FlowEnd {
  /** How long the flow is silent first: no end, no reset, no byte, either way. `Infinity`: until its socket closes. */
  readonly silentNs: number;
  /** The error that the program's next read gives then; undefined: none. */
  readonly code: "ECONNRESET" | "EHOSTUNREACH" | "ETIMEDOUT" | undefined;
}

export const SILENCE: FlowEnd = { silentNs: Infinity, code: undefined };
