/**
 * The fast lane: nothing is lost, so every release time is known on arrival: release_i = max(release_{i-1}, F + latency + jitter).
 */
import type { Position } from "./draw.ts";
import { type Link, rateDecision } from "./faults/rate.ts";
import type { FlowFailure, Lane } from "./lane.ts";
import { ReleaseQueue } from "./queue.ts";
import type { DecisionSink } from "./types.ts";

export class PacedLane implements Lane {
  ended: boolean = false;
  readonly holding: boolean = false;
  readonly failure: FlowFailure | undefined = undefined;
  readonly #latencyNs: number;
  readonly #link: Link;
  readonly #onDecision: DecisionSink | undefined;
  readonly #queue = new ReleaseQueue();
  #lastReleaseNs = -Infinity;
  #endNs = Infinity;

  constructor(latencyNs: number, link: Link, onDecision: DecisionSink | undefined) {
    this.#latencyNs = latencyNs;
    this.#link = link;
    this.#onDecision = onDecision;
  }

  get entries(): number {
    return this.#queue.length;
  }

  add(bytes: number, nowNs: number, at: Position, fresh: boolean, jitterNs: number): void {
    const link = this.#link;
    let sentNs = nowNs;
    if (!link.unlimited) {
      sentNs = link.send(bytes, nowNs);
      // Every packet, not only those that queued: what is logged must not depend on timing.
      if (fresh) this.#onDecision?.(rateDecision(at, nowNs, bytes, sentNs - nowNs));
    }
    this.#queue.add(this.#releaseNs(sentNs, jitterNs), bytes);
  }

  end(nowNs: number, jitterNs: number): void {
    this.#endNs = this.#releaseNs(this.#link.unlimited ? nowNs : this.#link.send(0, nowNs), jitterNs);
  }

  peerReleased(): void {}

  advance(nowNs: number): number {
    const due = this.#queue.takeDue(nowNs);
    if (this.#endNs <= nowNs) this.ended = true;
    return due;
  }

  nextAtNs(): number {
    return this.ended ? Infinity : Math.min(this.#queue.headNs, this.#endNs);
  }

  detach(): void {}

  #releaseNs(sentNs: number, jitterNs: number): number {
    this.#lastReleaseNs = Math.max(this.#lastReleaseNs, sentNs + this.#latencyNs + jitterNs);
    return this.#lastReleaseNs;
  }
}
