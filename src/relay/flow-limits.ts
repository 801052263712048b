/**
 * Where `half_open` and `session_budget` end a flow: counts its bytes, and carries the end out once everything that was let through has
 * been handed on.
 *
 * Owns: the counters of the current binding, the time at which the flow fails, TCP's own patience on a silent flow. Never: the sockets
 * (the flow). Invariants: what is over stays over, whatever becomes of the scope; nothing fails before the bytes within the limit have
 * left, nor before the way to the program is travelled.
 */
import { Draws } from "../engine/draw.ts";
import type { FlowEnd } from "../engine/faults/flow-end.ts";
import { HalfOpen } from "../engine/faults/half-open.ts";
import { SessionBudget } from "../engine/faults/session-budget.ts";
import { GIVE_UP_NS } from "../engine/models/tcp-timers.ts";
import { faultBit, measureOne } from "../engine/packet-times.ts";
import type { CauseName } from "../engine/registry.ts";
import type { Decision, Direction } from "../engine/types.ts";
import { UPLINK } from "../engine/types.ts";
import type { DeadlineClock } from "../internal/deadline-clock.ts";
import { createWaiter } from "../internal/deadline-clock.ts";
import type { FlowBinding } from "./binding.ts";

export interface LimitedFlow {
  /** The time of the current binding is up, if its scope still lives. */
  durationOver(nowNs: number): void;
  /** The flow has nothing to say any more: its program reads this error next. */
  endWith(code: string): void;
}

export class FlowLimits {
  readonly #flow: LimitedFlow;
  readonly #clock: DeadlineClock;
  #binding: FlowBinding | undefined;
  #halfOpen: HalfOpen | undefined;
  #budget: SessionBudget | undefined;
  #end: FlowEnd | undefined;
  #failsAtNs = Infinity;
  /** What ended the flow, and when. */
  #cause: CauseName = "half_open";
  #overSinceNs = 0;
  #established = false;
  readonly #duration = createWaiter((nowNs) => this.#flow.durationOver(nowNs));
  readonly #failure = createWaiter((nowNs) => this.#fail(nowNs));
  readonly #patience = createWaiter(() => this.#flow.endWith("ETIMEDOUT"));

  constructor(flow: LimitedFlow, clock: DeadlineClock) {
    this.#flow = flow;
    this.#clock = clock;
  }

  /** Nothing passes any more. */
  get over(): boolean {
    return this.#end !== undefined;
  }

  /** Another binding is in force: its counts begin at nothing. */
  govern(binding: FlowBinding | undefined): void {
    if (this.over) return;
    this.#binding = binding;
    const { halfOpen, sessionBudget } = binding?.policy.faults ?? {};
    this.#halfOpen = halfOpen && new HalfOpen(halfOpen);
    this.#budget = sessionBudget && new SessionBudget(sessionBudget, (binding as FlowBinding).boundAtNs);
    this.#watchDuration();
  }

  /** The program has its connection. Before, only the connect faults act. */
  establish(): void {
    this.#established = true;
    this.#watchDuration();
  }

  #watchDuration(): void {
    this.#clock.schedule(this.#duration, this.#established ? (this.#budget?.endsAtNs ?? Infinity) : Infinity);
  }

  /** How many of these bytes pass. */
  admit(direction: Direction, bytes: number, nowNs: number): number {
    if (this.over) return 0;
    const budget = this.#budget;
    let admitted = budget === undefined ? bytes : budget.admitBytes(direction, bytes, nowNs);
    if (admitted < bytes && !this.#acts("session_budget", nowNs)) {
      this.#budget = undefined;
      admitted = bytes;
    }
    const halfOpen = this.#halfOpen;
    const passed = halfOpen === undefined ? admitted : halfOpen.admitBytes(admitted);
    if (halfOpen?.reached === true) {
      if (this.#acts("half_open", nowNs)) {
        this.#finish(halfOpen.end, halfOpen.decision(direction, nowNs), nowNs, this.#wayNs(direction, nowNs));
        return passed;
      }
      this.#halfOpen = undefined;
    }
    if (budget !== undefined && admitted < bytes) {
      this.#finish(budget.end, budget.decision(direction, nowNs), nowNs, this.#wayNs(direction, nowNs));
    }
    return admitted;
  }

  /** `max_duration` is over. */
  expire(nowNs: number): void {
    const budget = this.#budget;
    if (budget === undefined || this.over) return;
    budget.expire(nowNs);
    if (budget.exceeded === undefined) return;
    if (this.#acts("session_budget", nowNs)) this.#finish(budget.end, budget.decision(UPLINK, nowNs), nowNs, 0);
    else this.#budget = undefined;
  }

  /** Under a schedule, such a fault acts on some flows only. */
  #acts(fault: "half_open" | "session_budget", nowNs: number): boolean {
    const binding = this.#binding as FlowBinding;
    return binding.severity.constant || binding.severity.acts(new Draws(binding.key), fault, nowNs);
  }

  /** How long it takes until the program hears of what a byte caused: up and back, or behind the byte. */
  #wayNs(direction: Direction, nowNs: number): number {
    const { policy, severity } = this.#binding as FlowBinding;
    const { uplink, downlink } = policy.faults;
    return (downlink.latencyNs + (direction === UPLINK ? uplink.latencyNs : 0)) * severity.at(nowNs);
  }

  #finish(end: FlowEnd, decision: Decision, nowNs: number, wayNs: number): void {
    this.#end = end;
    this.#cause = decision.fault;
    this.#overSinceNs = nowNs;
    this.#failsAtNs = nowNs + (end.silentNs > 0 ? end.silentNs : wayNs);
    this.#clock.cancel(this.#duration);
    this.#binding?.record(decision);
  }

  /** Everything that was let through has been handed on: the rest takes its course. */
  drained(): void {
    if (this.#end?.code !== undefined) this.#clock.schedule(this.#failure, Math.max(this.#failsAtNs, this.#clock.nowNs()));
  }

  #fail(nowNs: number): void {
    const code = this.#end?.code;
    if (code === undefined) return;
    const { measures } = this.#binding as FlowBinding;
    measures.late(nowNs - this.#failure.deadlineNs);
    measureOne(measures, faultBit(this.#cause), nowNs - this.#overSinceNs);
    this.#flow.endWith(code);
  }

  /** The scope that ended the flow was aborted: the failure waits for its time no longer. */
  hasten(scope: number): void {
    if (!this.over || this.#binding?.scope !== scope) return;
    this.#failsAtNs = -Infinity;
    if (this.#failure.heapIndex >= 0) this.drained();
  }

  /** The program sent something into the silence: TCP does not try for ever. */
  unacknowledged(nowNs: number): void {
    if (this.#patience.heapIndex < 0) this.#clock.schedule(this.#patience, nowNs + GIVE_UP_NS);
  }

  stop(): void {
    for (const waiter of [this.#duration, this.#failure, this.#patience]) this.#clock.cancel(waiter);
  }
}
