/**
 * What a relay tells its program of decisions. All are counted in the table. The first ones of each scope are sent too; once the program
 * keeps no more of them, and nobody listens as they happen, they are not: a fast link decides tens of thousands of packets a second.
 *
 * Invariants: counts are exact; what is recorded before `flush` is sent by it, in order.
 */
import { setImmediate } from "node:timers";
import { eventOf, isInjection } from "../engine/decisions.ts";
import { causeNumber } from "../engine/registry.ts";
import type { Decision, FlowEvent } from "../engine/types.ts";
import { MAX_EVENTS } from "../internal/limits.ts";
import { countDecision } from "../table/scopes.ts";
import type { PolicyTable } from "../table/table.ts";
import type { FromRelay } from "./protocol.ts";

const EVENTS_PER_MESSAGE = 256;
/** A diagnostics channel does not tell when somebody subscribes: the program looks when it is asked. */
const ASK_EVERY_NS = 100e6;

export class EventFeed {
  readonly #table: PolicyTable;
  readonly #post: (message: FromRelay) => void;
  readonly #isHeard: () => boolean;
  /** How many events of a scope were sent. */
  readonly #sent = new Map<number, number>();
  #events: FlowEvent[] = [];
  #askedNs = -Infinity;

  /** `isHeard`: whether somebody listens to every event as it happens. */
  constructor(table: PolicyTable, post: (message: FromRelay) => void, isHeard: () => boolean) {
    this.#table = table;
    this.#post = post;
    this.#isHeard = isHeard;
  }

  record(scope: number, flowHash: bigint, decision: Decision): void {
    countDecision(this.#table, scope, causeNumber(decision.fault), isInjection(decision.decision));
    const sent = this.#sent.get(scope) ?? 0;
    if (sent >= MAX_EVENTS && !this.#isHeard()) {
      this.#ask(decision.atNs);
      return;
    }
    this.#sent.set(scope, sent + 1);
    this.#events.push(eventOf(decision, scope, flowHash));
    if (this.#events.length >= EVENTS_PER_MESSAGE) this.flush();
    // What is held releases nothing that would take the event along.
    else if (this.#events.length === 1) setImmediate(() => this.flush());
  }

  #ask(nowNs: number): void {
    if (nowNs - this.#askedNs < ASK_EVERY_NS) return;
    this.#askedNs = nowNs;
    this.#post({ type: "unheard" });
  }

  flush(): void {
    if (this.#events.length === 0) return;
    const events = this.#events;
    this.#events = [];
    this.#post({ type: "events", events });
  }

  /** Nothing of the scope is held any more. */
  drop(scope: number): void {
    this.flush();
    this.#sent.delete(scope);
  }
}
