/**
 * The `recv` timeout of one flow: armed by bytes that the program wrote and expects an answer to, disarmed by the first byte that
 * comes back. On HTTP/2 each request is armed and disarmed by name.
 */
import { armCount, armOffset } from "../table/flows.ts";
import type { PolicyTable } from "../table/table.ts";
import type { DeadlineClock, Waiter } from "./clock.ts";
import { createWaiter } from "./clock.ts";

export class ReceiveTimeout {
  readonly #clock: DeadlineClock;
  readonly #table: PolicyTable;
  readonly #flow: number;
  readonly #waiter: Waiter;
  #armsSeen = 0;
  #deadlineNs = Infinity;
  readonly #requests = new Map<number, number>();

  constructor(clock: DeadlineClock, table: PolicyTable, flow: number, expire: () => void) {
    this.#clock = clock;
    this.#table = table;
    this.#flow = flow;
    this.#waiter = createWaiter(expire);
  }

  /** Uplink bytes up to `offset` have come in. */
  sent(offset: number, nowNs: number, recvNs: number): void {
    const arms = armCount(this.#table, this.#flow);
    if (arms === this.#armsSeen || armOffset(this.#table, this.#flow) >= offset) return;
    this.#armsSeen = arms;
    if (this.#deadlineNs === Infinity) this.#deadlineNs = nowNs + recvNs;
    this.#schedule();
  }

  /** Bytes were delivered to the program. */
  received(): void {
    if (this.#deadlineNs === Infinity) return;
    this.#deadlineNs = Infinity;
    this.#schedule();
  }

  /** An HTTP/2 request waits for its first header. */
  requested(request: number, nowNs: number, recvNs: number): void {
    this.#requests.set(request, nowNs + recvNs);
    this.#schedule();
  }

  answered(request: number): void {
    if (this.#requests.delete(request)) this.#schedule();
  }

  disarm(): void {
    this.#deadlineNs = Infinity;
    this.#requests.clear();
    this.#clock.cancel(this.#waiter);
  }

  #schedule(): void {
    let first = this.#deadlineNs;
    for (const deadlineNs of this.#requests.values()) if (deadlineNs < first) first = deadlineNs;
    this.#clock.schedule(this.#waiter, first);
  }
}
