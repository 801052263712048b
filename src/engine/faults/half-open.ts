/**
 * `half_open`: after exactly so many bytes of a flow, both directions together, it fails or goes silent. Without `after` that is at the
 * first use: no byte passes.
 *
 * Counts bytes since the flow was bound to its scope. What was counted still arrives; who carries the flow waits for that.
 */
import { decisionAt } from "../decisions.ts";
import type { Decision, Direction, HalfOpenFault } from "../types.ts";
import { openFlowErrorCode } from "./connection-error.ts";
import { SILENCE, type FlowEnd } from "./flow-end.ts";

export class HalfOpen {
  readonly end: FlowEnd;
  /** The flow is over: nothing passes any more. */
  reached = false;
  /** Bytes that were let through. */
  passed = 0;
  readonly #afterBytes: number;

  constructor(fault: HalfOpenFault) {
    this.#afterBytes = fault.afterBytes ?? 0;
    this.end = halfOpenEnd(fault);
  }

  /** How many of these bytes of a stream still pass. The flow is over as soon as the last byte has: see `reached`. */
  admitBytes(bytes: number): number {
    if (this.reached) return 0;
    const admitted = Math.min(bytes, this.#afterBytes - this.passed);
    this.passed += admitted;
    this.reached = this.passed >= this.#afterBytes;
    return admitted;
  }

  /** The same for a datagram, which passes whole or not at all. */
  admitDatagram(bytes: number): boolean {
    const fits = !this.reached && bytes <= this.#afterBytes - this.passed && this.#afterBytes > 0;
    if (fits) this.passed += bytes;
    this.reached = !fits || this.passed >= this.#afterBytes;
    return fits;
  }

  /** The record of it. `direction`: of the byte at which it happened. */
  decision(direction: Direction, nowNs: number): Decision {
    const at = { direction, exchange: 0, cell: 0, split: 0 };
    const { code, silentNs } = this.end;
    return decisionAt(at, nowNs, this.passed, "half_open", code ?? "silent", silentNs, code);
  }
}

function halfOpenEnd({ error }: HalfOpenFault): FlowEnd {
  return error === "silent" ? SILENCE : { silentNs: 0, code: openFlowErrorCode(error) };
}
