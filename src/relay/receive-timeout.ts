/**
 * The `recv` timeout of one flow: armed by bytes that the program wrote and expects an answer to, disarmed by the first byte that
 * comes back. On HTTP/2 each request is armed and disarmed by name. Under TLS the bytes that come back may be the handshake's or a
 * session ticket: only the program's side knows whether it has read any plaintext, so it is asked when the time is over.
 */
import { armCount, armOffset, isTls } from "../table/flows.ts";
import type { PolicyTable } from "../table/table.ts";
import type { DeadlineClock, Waiter } from "../internal/deadline-clock.ts";
import { createWaiter } from "../internal/deadline-clock.ts";
import type { RelayContext } from "./context.ts";

export class ReceiveTimeout {
  readonly #clock: DeadlineClock;
  readonly #table: PolicyTable;
  readonly #flow: number;
  readonly #waiter: Waiter;
  #armsSeen = 0;
  #deadlineNs = Infinity;
  readonly #requests = new Map<number, number>();
  readonly #deferred = new Set<number>();
  readonly #expire: (deadlineNs: number) => void;
  readonly #ask: () => void;
  /** The one that the program's side is asked about. */
  #askedNs = 0;
  /** Bytes came back that may have been no answer. */
  #doubtful = false;

  constructor(context: RelayContext, flow: number, expire: (deadlineNs: number) => void) {
    this.#clock = context.clock;
    this.#table = context.table;
    this.#flow = flow;
    this.#expire = expire;
    this.#ask = () => context.post({ type: "ask", flow });
    this.#waiter = createWaiter((nowNs) => this.#due(nowNs));
  }

  /** Uplink bytes up to `offset` have come in. */
  sent(offset: number, nowNs: number, recvNs: number): void {
    const arms = armCount(this.#table, this.#flow);
    if (arms === this.#armsSeen || armOffset(this.#table, this.#flow) >= offset) return;
    this.#armsSeen = arms;
    if (this.#deadlineNs === Infinity) {
      this.#deadlineNs = nowNs + recvNs;
      this.#doubtful = false;
    }
    this.#schedule();
  }

  /** Bytes were delivered to the program. */
  received(): void {
    if (this.#deadlineNs === Infinity) return;
    if (isTls(this.#table, this.#flow)) {
      this.#doubtful = true;
      return;
    }
    this.#deadlineNs = Infinity;
    this.#schedule();
  }

  #due(nowNs: number): void {
    if (this.#doubtful && this.#deadlineNs <= nowNs) {
      this.#askedNs = this.#deadlineNs;
      this.#deadlineNs = Infinity;
      this.#ask();
    } else this.#expire(this.#waiter.deadlineNs);
  }

  /** What the program's side said. */
  answer(waiting: boolean): void {
    this.#doubtful = false;
    if (waiting) this.#expire(this.#askedNs);
  }

  /** An HTTP/2 request waits for its first header. */
  requested(request: number, nowNs: number, recvNs: number): void {
    this.#requests.set(request, nowNs + recvNs);
    this.#schedule();
  }

  /** A request was made whose binding, and so its timeout, is still to come with its bytes. */
  defer(request: number): void {
    this.#deferred.add(request);
  }

  takeDeferred(): readonly number[] {
    if (this.#deferred.size === 0) return [];
    const requests = [...this.#deferred];
    this.#deferred.clear();
    return requests;
  }

  answered(request: number): void {
    this.#deferred.delete(request);
    if (this.#requests.delete(request)) this.#schedule();
  }

  disarm(): void {
    this.#deadlineNs = Infinity;
    this.#doubtful = false;
    this.#requests.clear();
    this.#clock.cancel(this.#waiter);
  }

  #schedule(): void {
    let first = this.#deadlineNs;
    for (const deadlineNs of this.#requests.values()) if (deadlineNs < first) first = deadlineNs;
    this.#clock.schedule(this.#waiter, first);
  }
}
