/**
 * `timeout`: `connect` bounds a connect attempt, `recv` the time from the program's bytes to the first byte back. Fast enough operations
 * are not disturbed; one that is not done by then fails with ETIMEDOUT at exactly that time.
 */
import { decisionAt } from "../decisions.ts";
import type { Position } from "../draw.ts";
import type { Decision } from "../types.ts";

export function timeoutDecision(at: Position, atNs: number, delayNs: number): Decision {
  return decisionAt(at, atNs, 0, "timeout", "ETIMEDOUT", delayNs, "ETIMEDOUT");
}

/**
 * The `recv` timer of a flow. The first bytes written arm it and further ones do not push it away: a heartbeat into a dead connection
 * must not keep the timer from firing. Only delivered bytes disarm it, never a FIN.
 */
export class RecvTimeout {
  readonly #recvNs: number;
  #armedNs = Infinity;

  constructor(recvNs: number) {
    this.#recvNs = recvNs;
  }

  /** The program wrote bytes, outside the flow's own read callbacks. */
  written(nowNs: number): void {
    if (this.#armedNs === Infinity) this.#armedNs = nowNs;
  }

  /** At least one byte was delivered to the program. */
  delivered(): void {
    this.#armedNs = Infinity;
  }

  /** When the read fails; Infinity while nothing is awaited. */
  expiresAtNs(): number {
    return this.#armedNs + this.#recvNs;
  }
}
