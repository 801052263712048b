/**
 * What a relay tells its program of decisions. The first ones of each scope go as they are; once the program keeps no more of them, and
 * nobody listens as they happen, only their number does: a fast link decides tens of thousands of packets a second.
 *
 * Invariants: counts are exact; what is recorded before `flush` is sent by it, in order.
 */
import { setImmediate } from "node:timers";
import { eventOf, isInjection } from "../engine/decisions.ts";
import type { CauseName } from "../engine/registry.ts";
import type { Decision, FlowEvent } from "../engine/types.ts";
import { MAX_EVENTS } from "../internal/limits.ts";
import { countScope } from "../table/scopes.ts";
import type { PolicyTable } from "../table/table.ts";
import type { FromRelay } from "./protocol.ts";

const EVENTS_PER_MESSAGE = 256;

/** What a scope has had so far. */
interface Fed {
  events: number;
  /** Not sent yet, by fault. */
  readonly counts: Map<CauseName, number>;
}

export class EventFeed {
  readonly #table: PolicyTable;
  readonly #post: (message: FromRelay) => void;
  readonly #isHeard: () => boolean;
  readonly #scopes = new Map<number, Fed>();
  /** Scopes whose counts have changed. */
  readonly #counted = new Set<number>();
  #events: FlowEvent[] = [];

  /** `isHeard`: whether somebody listens to every event as it happens. */
  constructor(table: PolicyTable, post: (message: FromRelay) => void, isHeard: () => boolean) {
    this.#table = table;
    this.#post = post;
    this.#isHeard = isHeard;
  }

  record(scope: number, flowHash: bigint, decision: Decision): void {
    countScope(this.#table, scope, "events");
    if (isInjection(decision.decision)) countScope(this.#table, scope, "injected");
    let fed = this.#scopes.get(scope);
    if (fed === undefined) this.#scopes.set(scope, (fed = { events: 0, counts: new Map() }));
    const waiting = this.#events.length + this.#counted.size;
    if (fed.events >= MAX_EVENTS && !this.#isHeard()) {
      fed.counts.set(decision.fault, (fed.counts.get(decision.fault) ?? 0) + 1);
      this.#counted.add(scope);
    } else {
      fed.events++;
      this.#events.push(eventOf(decision, scope, flowHash));
    }
    if (this.#events.length >= EVENTS_PER_MESSAGE) this.flush();
    // What is held releases nothing that would take the event along.
    else if (waiting === 0) setImmediate(() => this.flush());
  }

  flush(): void {
    if (this.#events.length > 0) {
      const events = this.#events;
      this.#events = [];
      this.#post({ type: "events", events });
    }
    if (this.#counted.size > 0) this.#flushCounts();
  }

  #flushCounts(): void {
    for (const scope of this.#counted) {
      const { counts } = this.#scopes.get(scope) as Fed;
      this.#post({ type: "counts", scope, counts: [...counts] });
      counts.clear();
    }
    this.#counted.clear();
  }

  /** Nothing of the scope is held any more. */
  drop(scope: number): void {
    this.flush();
    this.#scopes.delete(scope);
  }
}
