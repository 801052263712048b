/**
 * Name lookups that wait on the program's own thread.
 *
 * Owns: the instants at which answers are passed on and failures are raised, and what happens when the scope ends before. Never: the
 * decision (`engine/faults/dns.ts`), Node's requests (`steer/dns.ts`). Invariants: nothing is passed on early, or while the lookup is being
 * asked for; each wait ends once; what the scope ended keeps no lookup waiting.
 */
import type { Decision } from "../engine/types.ts";
import { lookupDelayDecision, lookupFailureDecision } from "../engine/faults/dns.ts";
import type { LookupErrorCode, LookupPlan } from "../engine/faults/dns.ts";
import { faultBit, measureOne } from "../engine/packet-times.ts";
import type { MeasureSink } from "../engine/packet-times.ts";
import { DeadlineClock } from "../internal/deadline-clock.ts";
import type { Waiter } from "../internal/deadline-clock.ts";
import { nextTick } from "../internal/real-timers.ts";

type Record = (decision: Decision) => void;

/** The lookups that wait, by scope. */
export class LookupWaits {
  readonly #clock = new DeadlineClock("normal");
  readonly #waits = new Map<number, Set<LookupWait>>();

  /** Carries a plan out for one lookup of a scope. */
  begin(scope: number, plan: LookupPlan, record: Record, measures: MeasureSink): LookupWait {
    const waits = this.#waits.get(scope) ?? new Set();
    this.#waits.set(scope, waits);
    const wait = new LookupWait(this.#clock, plan, { record, measures }, () => {
      waits.delete(wait);
      if (waits.size === 0 && this.#waits.get(scope) === waits) this.#waits.delete(scope);
    });
    waits.add(wait);
    if (plan.delayNs > 0) record(lookupDelayDecision(this.#clock.nowNs(), plan.delayNs));
    return wait;
  }

  /** The scope ended: its lookups wait no longer. */
  scopeEnded(scope: number): void {
    const waits = this.#waits.get(scope);
    this.#waits.delete(scope);
    for (const wait of waits ?? []) wait.release();
  }
}

/** The fate of one lookup. Its shape is what `steer/` knows as `LookupFate`. */
export class LookupWait implements Waiter {
  heapIndex = -1;
  deadlineNs = 0;
  readonly #clock: DeadlineClock;
  readonly #plan: LookupPlan;
  readonly #told: { readonly record: Record; readonly measures: MeasureSink };
  /** When it began to wait. */
  #sinceNs = 0;
  readonly #over: () => void;
  /** What happens when the time has come, and what when the scope ends before. */
  #due: (() => void) | undefined;
  #released: (() => void) | undefined;
  #isOver = false;

  constructor(clock: DeadlineClock, plan: LookupPlan, told: { record: Record; measures: MeasureSink }, over: () => void) {
    this.#clock = clock;
    this.#plan = plan;
    this.#told = told;
    this.#over = over;
  }

  get fails(): boolean {
    return this.#plan.failure !== undefined;
  }

  hold(deliver: () => void): void {
    if (this.#isOver || this.#plan.delayNs === 0) {
      this.#finish();
      deliver();
      return;
    }
    this.#wait(this.#plan.delayNs, deliver, deliver);
  }

  fail(raise: (code: LookupErrorCode) => void, proceed: () => void): void {
    const { failure } = this.#plan;
    if (failure === undefined) return;
    this.#wait(failure.afterNs, () => raise(failure.code), proceed);
  }

  cancel(): void {
    this.#due = undefined;
    this.#released = undefined;
    this.#clock.cancel(this);
    this.#finish();
  }

  /** The scope ended. */
  release(): void {
    const released = this.#released;
    this.cancel();
    if (released === undefined) return;
    this.#measure(this.#clock.nowNs());
    nextTick(released);
  }

  fire(nowNs: number): void {
    const due = this.#due;
    const { failure } = this.#plan;
    this.#told.measures.late(nowNs - this.deadlineNs);
    this.#measure(nowNs);
    this.cancel();
    if (failure !== undefined) this.#told.record(lookupFailureDecision(nowNs, failure));
    // A turn of its own: what the program's callback throws must not stop the clock.
    if (due !== undefined) nextTick(due);
  }

  #wait(afterNs: number, due: () => void, released: () => void): void {
    this.#due = due;
    this.#released = released;
    this.#sinceNs = this.#clock.nowNs();
    this.#clock.schedule(this, this.#sinceNs + afterNs);
  }

  #measure(nowNs: number): void {
    measureOne(this.#told.measures, faultBit("dns"), nowNs - this.#sinceNs);
  }

  #finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#over();
  }
}
