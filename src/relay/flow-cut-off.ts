/**
 * How a flow that reached a limit (`half_open`, `session_budget`) comes to rest: nothing more is read or taken in, what was let through is
 * handed on, then the flow fails, or stays silent.
 *
 * Never: counts (`flow-limits.ts`), ends a socket (the flow). Invariant: once cut off, a flow stays so until its socket closes.
 */
import type { Direction } from "../engine/types.ts";
import type { DeadlineClock } from "../internal/deadline-clock.ts";
import type { FlowBinding } from "./binding.ts";
import { FlowLimits } from "./flow-limits.ts";
import type { Pipe } from "./pipe.ts";
import type { RelaySocket } from "./sockets/socket.ts";

/** What may be cut off. */
export interface CuttableFlow {
  readonly uplink: Pipe;
  readonly downlink: Pipe;
  readonly leg: RelaySocket | undefined;
  readonly peer: RelaySocket | undefined;
  readonly failed: boolean;
  readonly programClosed: boolean;
  /** Lets go of the current binding if its scope has ended. */
  checkLive(nowNs: number): void;
  /** What the byte stages hold back goes on. */
  flushStages(nowNs: number): void;
  /** The program reads this error next, behind everything that was written to it. */
  endWith(code: string): void;
  tearDown(): void;
}

export class FlowCutOff {
  readonly #flow: CuttableFlow;
  readonly #limits: FlowLimits;
  #isCut = false;

  constructor(flow: CuttableFlow, clock: DeadlineClock) {
    this.#flow = flow;
    this.#limits = new FlowLimits({ durationOver: (nowNs) => this.#durationOver(nowNs), endWith: (code) => flow.endWith(code) }, clock);
  }

  get isCut(): boolean {
    return this.#isCut;
  }

  /** Nothing passes any more. */
  get isOver(): boolean {
    return this.#limits.over;
  }

  /** Another binding is in force: its limits take over. */
  govern(binding: FlowBinding | undefined): void {
    this.#limits.govern(binding);
  }

  establish(): void {
    this.#limits.establish();
  }

  /** How many of these bytes pass. Call `check` when they have. */
  admit(direction: Direction, bytes: number, nowNs: number): number {
    return this.#limits.admit(direction, bytes, nowNs);
  }

  /** A limit may have been reached. `unheard`: the program has sent more than what passed. */
  check(unheard: boolean, nowNs: number): void {
    if (!this.#limits.over) return;
    const flow = this.#flow;
    if (!this.#isCut) {
      this.#isCut = true;
      flow.flushStages(nowNs);
      flow.uplink.source = undefined;
      flow.downlink.source = undefined;
      flow.peer?.pause();
      // It is read until the program has sent something that nobody acknowledges.
      flow.leg?.resume();
      this.checkDrained();
    }
    if (!unheard) return;
    this.#limits.unacknowledged(nowNs);
    flow.leg?.pause();
  }

  /** Bytes have left, or the program has closed its socket. */
  checkDrained(): void {
    const flow = this.#flow;
    if (!this.#isCut || flow.failed || flow.uplink.held > 0) return;
    flow.peer?.whenWritten(() => {
      if (flow.programClosed) {
        flow.tearDown();
        return;
      }
      if (flow.downlink.held === 0) flow.leg?.whenWritten(() => this.#limits.drained());
    });
  }

  /** The program ended its side of a flow that was cut off: that does not reach the peer, and nobody acknowledges it. */
  legEnded(reset: boolean, nowNs: number): void {
    if (reset || this.#flow.programClosed || this.#flow.failed) this.#flow.tearDown();
    else this.#limits.unacknowledged(nowNs);
  }

  /** The scope was aborted: a failure that is on its way comes as soon as what was let through has left. */
  hasten(scope: number): void {
    this.#limits.hasten(scope);
  }

  stop(): void {
    this.#limits.stop();
  }

  #durationOver(nowNs: number): void {
    this.#flow.checkLive(nowNs);
    this.#limits.expire(nowNs);
    this.check(false, nowNs);
  }
}
