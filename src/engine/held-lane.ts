/**
 * The lane of 100 % loss: bytes stay with their sender until the scope ends or TCP gives up. A sender that retransmits into the void is
 * not simulated: nothing that it does can be seen.
 */
import type { Position } from "./draw.ts";
import { heldDecision, type LossFault } from "./faults/loss.ts";
import type { FlowFailure, Lane } from "./lane.ts";
import { GIVE_UP_NS } from "./models/tcp-timers.ts";
import type { DecisionSink } from "./types.ts";

export class HeldLane implements Lane {
  ended: boolean = false;
  failure: FlowFailure | undefined = undefined;
  readonly #cause: LossFault;
  readonly #onDecision: DecisionSink | undefined;
  #held = 0;
  #ending = false;
  #failsAtNs = Infinity;
  #detachedAtNs = Infinity;

  constructor(cause: LossFault, onDecision: DecisionSink | undefined) {
    this.#cause = cause;
    this.#onDecision = onDecision;
  }

  get holding(): boolean {
    return this.#detachedAtNs === Infinity && (this.#held > 0 || this.#ending);
  }

  get entries(): number {
    return this.#held > 0 ? 1 : 0;
  }

  add(bytes: number, nowNs: number, at: Position, fresh: boolean): void {
    this.#held += bytes;
    this.#startClock(nowNs);
    if (fresh) this.#onDecision?.(heldDecision(at, nowNs, bytes, this.#cause));
  }

  end(nowNs: number): void {
    this.#ending = true;
    this.#startClock(nowNs);
  }

  peerReleased(): void {}

  advance(nowNs: number): number {
    if (this.failure !== undefined) return 0;
    if (this.#detachedAtNs <= nowNs) {
      const released = this.#held;
      this.#held = 0;
      this.ended = this.#ending;
      return released;
    }
    if (this.#failsAtNs <= nowNs) this.failure = { atNs: this.#failsAtNs, code: "ETIMEDOUT" };
    return 0;
  }

  nextAtNs(): number {
    if (this.failure !== undefined) return Infinity;
    if (this.#detachedAtNs === Infinity) return this.#failsAtNs;
    return this.#held > 0 || (this.#ending && !this.ended) ? this.#detachedAtNs : Infinity;
  }

  detach(nowNs: number): void {
    if (this.failure !== undefined) return;
    this.#detachedAtNs = nowNs;
    this.#failsAtNs = Infinity;
  }

  #startClock(nowNs: number): void {
    if (this.#failsAtNs === Infinity) this.#failsAtNs = nowNs + GIVE_UP_NS;
  }
}
