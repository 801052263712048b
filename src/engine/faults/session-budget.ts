/**
 * `session_budget`: how much a flow may carry in one scope. Bytes up to the limit pass, the first one beyond it ends the flow as `action`
 * says; a limit that is reached exactly ends nothing.
 *
 * An operation is an uninterrupted run of bytes in one direction (a request, a response), or one datagram. All counts begin when the
 * flow is bound to its scope. The relay, or who carries the datagrams, has the clock: `endsAtNs` says when the time is up.
 */
import { decisionAt } from "../decisions.ts";
import { type BudgetFault, type Decision, type Direction, UPLINK } from "../types.ts";
import { openFlowErrorCode } from "./connection-error.ts";
import { SILENCE, type FlowEnd } from "./flow-end.ts";

export type BudgetLimit = "max_tx" | "max_rx" | "max_ops" | "max_duration";

export class SessionBudget {
  readonly end: FlowEnd;
  /** From here on `max_duration` is over; `Infinity` where it has none. */
  readonly endsAtNs: number;
  /** The limit that was crossed. Nothing passes any more, in either direction. */
  exceeded: BudgetLimit | undefined = undefined;
  readonly #fault: BudgetFault;
  readonly #passed: [up: number, down: number] = [0, 0];
  #operations = 0;
  #latest: Direction | undefined;

  constructor(fault: BudgetFault, boundAtNs: number) {
    this.#fault = fault;
    this.end = budgetEnd(fault);
    this.endsAtNs = boundAtNs + fault.maxDurationNs;
  }

  /** How many of these bytes of a stream are within the budget. If not all are, `exceeded` says why. */
  admitBytes(direction: Direction, bytes: number, nowNs: number): number {
    if (bytes <= 0 || this.#isOver(nowNs)) return 0;
    if (direction !== this.#latest) {
      if (this.#operations >= this.#fault.maxOps) return this.#refuse("max_ops");
      this.#latest = direction;
      this.#operations++;
    }
    const admitted = Math.min(bytes, this.#left(direction));
    this.#passed[direction] += admitted;
    if (admitted < bytes) this.#refuse(byteLimit(direction));
    return admitted;
  }

  /** Whether a datagram is within the budget: whole or not at all. */
  admitDatagram(direction: Direction, bytes: number, nowNs: number): boolean {
    if (this.#isOver(nowNs)) return false;
    if (this.#operations >= this.#fault.maxOps) this.#refuse("max_ops");
    else if (bytes > this.#left(direction)) this.#refuse(byteLimit(direction));
    else {
      this.#operations++;
      this.#passed[direction] += bytes;
      return true;
    }
    return false;
  }

  /** The time is up, if it is. */
  expire(nowNs: number): void {
    if (this.exceeded === undefined && nowNs >= this.endsAtNs) this.#refuse("max_duration");
  }

  /** The record of it. `direction`: of the byte that was too much; of the program's where it was time. */
  decision(direction: Direction, nowNs: number): Decision {
    const at = { direction, exchange: 0, cell: 0, split: 0 };
    const { silentNs, code } = this.end;
    const decision = `${this.exceeded ?? "within"}: ${this.#fault.action}`;
    return decisionAt(at, nowNs, this.#passed[direction], "session_budget", decision, silentNs, code);
  }

  #isOver(nowNs: number): boolean {
    this.expire(nowNs);
    return this.exceeded !== undefined;
  }

  #left(direction: Direction): number {
    const limit = direction === UPLINK ? this.#fault.maxTxBytes : this.#fault.maxRxBytes;
    return limit - this.#passed[direction];
  }

  #refuse(limit: BudgetLimit): 0 {
    this.exceeded = limit;
    return 0;
  }
}

function byteLimit(direction: Direction): BudgetLimit {
  return direction === UPLINK ? "max_tx" : "max_rx";
}

function budgetEnd(fault: BudgetFault): FlowEnd {
  switch (fault.action) {
    case "drop":
      return SILENCE;
    case "timeout":
      return { silentNs: fault.budgetTimeoutNs, code: "ETIMEDOUT" };
    case "connection_error":
      return { silentNs: 0, code: openFlowErrorCode(fault.error) };
  }
}
