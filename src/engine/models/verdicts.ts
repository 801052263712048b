/**
 * Which transmissions of a virtual sender's packets get through.
 *
 * Without a schedule, a packet's verdict is drawn when it is pushed: how many of its transmissions fail. So it does not depend on when
 * they happen. Where loss changes with time, each transmission is judged when it leaves: with the same draws, against the probability of
 * that moment. An outage (100 %) that ends is then repaired by the first retransmission behind it.
 */
import { countFailures, droppedDecision, lostDecision, type LossModel, recoveredDecision, type SeverityAt } from "../faults/loss.ts";
import type { DecisionSink } from "../types.ts";
import type { Segment } from "./segment.ts";

export class Verdicts {
  /** Undefined: nothing is lost. */
  readonly #loss: LossModel | undefined;
  readonly #onDecision: DecisionSink | undefined;
  #severityAt: SeverityAt | undefined;

  constructor(loss: LossModel | undefined, severityAt: SeverityAt | undefined, onDecision: DecisionSink | undefined) {
    this.#loss = loss;
    this.#severityAt = loss && severityAt;
    this.#onDecision = onDecision;
  }

  /** Each transmission is judged at its time, also of what is no packet of its own: an outage stops everything. */
  get timed(): boolean {
    return this.#severityAt !== undefined;
  }

  /** A packet was pushed. */
  pushed(segment: Segment, nowNs: number): void {
    if (this.#loss === undefined || this.timed) return;
    segment.failures = countFailures(this.#loss, segment);
    if (segment.failures === 0) return;
    segment.cause = this.#loss.cause;
    this.#onDecision?.(lostDecision(segment, nowNs, segment.bytes, segment.cause, segment.failures));
  }

  /** Whether transmission `attempt` (0, 1, …), which leaves at `nowNs`, gets through. */
  passes(segment: Segment, attempt: number, nowNs: number): boolean {
    if (this.#severityAt !== undefined && this.#isLost(segment, attempt, this.#severityAt(nowNs))) {
      segment.failures = attempt + 1;
      if (attempt === 0 && !segment.partial) {
        segment.cause = this.#loss!.cause;
        this.#onDecision?.(droppedDecision(segment, nowNs, segment.bytes, segment.cause));
      }
    }
    return attempt >= segment.failures;
  }

  /** The first transmission that gets through left at `nowNs`, and is delivered `extraNs` later than if nothing had been lost. */
  recovered(segment: Segment, nowNs: number, extraNs: number): void {
    if (segment.failures === 0 || segment.partial) return;
    this.#onDecision?.(recoveredDecision(segment, nowNs, segment.bytes, segment.cause, extraNs));
  }

  /** The scope ended: nothing is lost from now on. Returns whether an outage ends with it. */
  detach(nowNs: number): boolean {
    if (this.#severityAt === undefined) return false;
    const outage = this.#loss!.certain(this.#severityAt(nowNs));
    this.#severityAt = () => 0;
    return outage;
  }

  /** What continues a packet, and the end, have no draw: they are lost in an outage only. */
  #isLost(segment: Segment, attempt: number, severity: number): boolean {
    const loss = this.#loss!;
    if (segment.partial) return loss.certain(severity);
    return attempt === 0 ? loss.lost(segment, severity) : loss.lostAgain(segment, attempt, severity);
  }
}
