/**
 * Opening and ending scopes.
 *
 * Owns: the life of a `ScopeRecord`, and which activation is in force. Never: what a scope does to a socket; the host, which the
 * composition root injects, does that.
 * Invariants: a scope that was opened ends exactly once, whatever its body does; nothing is opened when anything about it is wrong.
 */
import { EventEmitter } from "node:events";
import type { CompiledPolicy } from "../policy/types.ts";
import { followSignal } from "./follow-signal.ts";
import { Shield, currentScope, dropFrames, holdFrames, runInFrame } from "./frames.ts";
import type { ScopeOptions } from "./options.ts";
import type { Applicable } from "./policies.ts";
import { ScopeRecord } from "./record.ts";
import type { RowCounters } from "./record.ts";
import { buildReport, nothingInjected } from "./report.ts";
import { runSpan } from "./run-span.ts";
import type { Span } from "./span.ts";

/** What stands behind scopes: the table, the relay, steering. */
export interface ScopeHost {
  /** Makes the policy known to the data plane, makes sure that connections are steered, and opens a row. Returns its reference. */
  begin(policy: CompiledPolicy, ordinal: number, seed: bigint): number;
  /** The record exists: events for its reference go to it from now on. */
  began(record: ScopeRecord): void;
  /** Ends the row and tells the relay. */
  end(record: ScopeRecord): void;
  /** Ends what an ended scope holds or delays: it goes on now. */
  abort(record: ScopeRecord): void;
  /** Takes in everything that the relay has said so far. */
  drain(): void;
  /** Blocks until the relay has heard of everything that was said to it, for a moment: then it counts nothing more for scopes that ended. */
  settle(): void;
  /** The seed of the run, for policies without one. */
  runSeed(): bigint;
  /** The n-th application of this policy since it was registered or first seen. */
  nextOrdinal(policy: CompiledPolicy): number;
  /** Makes a live scope the process-wide activation; undefined: there is none any more. Called before a scope that it replaces ends. */
  activate(record: ScopeRecord | undefined): void;
  /** The counters of the scope's row: from the table, or `finalCounters` once the row was given back. */
  counters(record: ScopeRecord): RowCounters;
}

export class ScopeManager {
  readonly host: ScopeHost;
  readonly #live = new Set<ScopeRecord>();
  /** Those that need async context. */
  readonly #inContext = new WeakSet<ScopeRecord>();
  readonly #owners = new WeakMap<object, ScopeRecord>();
  readonly #shields = new Set<Shield>();
  /** The newest is in force. */
  readonly #activations: ScopeRecord[] = [];

  constructor(host: ScopeHost) {
    this.host = host;
  }

  /** Opens a scope. Throws before anything has happened where that cannot be. */
  open({ policy, fields }: Applicable, options: ScopeOptions = {}): ScopeRecord {
    const record = this.#begin({ policy, fields }, options);
    holdFrames();
    this.#inContext.add(record);
    this.#follow(options.signal, record);
    return record;
  }

  /** Opens a scope that no async context is in: it applies wherever no other scope does. `replaced` is the activation that it takes over from. */
  openActivation(applicable: Applicable, options: ScopeOptions, replaced?: ScopeRecord): ScopeRecord {
    const record = this.#begin(applicable, options, { ofProcess: true, replaced });
    try {
      // In its place in the stack, which need not be on top.
      const index = replaced === undefined ? -1 : this.#activations.indexOf(replaced);
      if (index === -1) this.#activations.push(record);
      else this.#activations.splice(index + 1, 0, record);
      this.#putInForce();
    } catch (error) {
      this.end(record);
      throw error;
    }
    this.#follow(options.signal, record);
    return record;
  }

  /** The scope is aborted with the signal, as long as it lives. */
  #follow(signal: AbortSignal | undefined, record: ScopeRecord): void {
    if (signal === undefined) return;
    const stop = followSignal(signal, (reason) => this.abort(record, reason));
    record.abort.signal.addEventListener("abort", stop, { once: true });
  }

  /** Ends a scope, and the waits that it injected, also those that it left behind when it ended. */
  abort(record: ScopeRecord, reason: unknown): void {
    try {
      this.end(record, reason);
    } finally {
      this.host.abort(record);
    }
  }

  /** Ends a scope; repeating it does nothing. `reason`: what its signal is aborted with. */
  end(record: ScopeRecord, reason?: unknown): void {
    if (!record.live) return;
    record.live = false;
    this.#live.delete(record);
    const index = this.#activations.indexOf(record);
    if (index !== -1) {
      this.#activations.splice(index, 1);
      this.#putInForce();
    }
    if (this.#inContext.has(record)) dropFrames();
    try {
      this.host.end(record);
    } finally {
      record.abort.abort(reason);
    }
  }

  /** Runs `body` inside a live scope. */
  run<R>(record: ScopeRecord, body: () => R): R {
    return record.live ? runInFrame(record, body) : body();
  }

  /** Runs the body of a scope, which ends when the body's work is over (see `runSpan`). */
  apply<R>(record: ScopeRecord, body: () => R): R {
    const value = runSpan(this.span(record), body);
    this.own(value, record);
    return value;
  }

  /** Notes an emitter that a scope's body returned. */
  own(value: unknown, record: ScopeRecord): void {
    if (record.live && value instanceof EventEmitter) this.#owners.set(value, record);
  }

  span(record: ScopeRecord): Span {
    return {
      enter: (part) => this.run(record, part),
      end: () => this.end(record),
      finish: () => {
        this.end(record);
        this.judge(record);
      },
    };
  }

  /** The work of a scope is over, and did not fail: throws where the scope is strict and has injected nothing. */
  judge(record: ScopeRecord): void {
    if (!record.strict) return;
    record.strict = false;
    if (this.host.counters(record).injected > 0) return;
    // What the relay was deciding as the scope ended counts too.
    this.host.settle();
    if (this.host.counters(record).injected > 0) return;
    throw nothingInjected(buildReport(this.host, record, record), undefined);
  }

  /** The live scope whose body returned this emitter: what the program does with it from outside still belongs to that scope. */
  ownerOf(emitter: object): ScopeRecord | undefined {
    const record = this.#owners.get(emitter);
    return record?.live === true ? record : undefined;
  }

  /** A span in which no scope and no activation around it applies. */
  shield(): Span {
    const shield = new Shield();
    this.#shields.add(shield);
    holdFrames();
    const end = (): void => this.#endShield(shield);
    return { enter: (part) => (shield.live ? runInFrame(shield, part) : part()), end, finish: end };
  }

  /** The scope that governs the running code: the innermost live one, else the activation; undefined where there is none, or a shield. */
  governing(): ScopeRecord | undefined {
    const scope = currentScope();
    return scope === undefined ? this.#activations.at(-1) : (scope ?? undefined);
  }

  /** Scopes that are live now, activations included. */
  liveCount(): number {
    return this.#live.size;
  }

  /** Ends all scopes, activations and shields, also those whose work goes on. */
  endAll(): void {
    for (const record of this.#live) {
      // Nobody is there any more who would hear its judgement.
      record.strict = false;
      this.end(record);
    }
    for (const shield of this.#shields) this.#endShield(shield);
  }

  #begin(
    { policy, fields }: Applicable,
    options: ScopeOptions,
    more: { ofProcess?: boolean; replaced?: ScopeRecord | undefined } = {},
  ): ScopeRecord {
    const seed = policy.seed ?? this.host.runSeed();
    const ordinal = this.host.nextOrdinal(policy);
    const ref = this.host.begin(policy, ordinal, seed);
    const record = new ScopeRecord({ ref, policy, fields, ordinal, seed, options, ...more });
    this.#live.add(record);
    this.host.began(record);
    return record;
  }

  #endShield(shield: Shield): void {
    if (!shield.live) return;
    shield.live = false;
    this.#shields.delete(shield);
    dropFrames();
  }

  #putInForce(): void {
    this.host.activate(this.#activations.at(-1));
  }
}
