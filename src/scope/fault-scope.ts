/** Applying a policy to one body of code, with a report: `faultScope()`. */
import { FaultcoreError } from "../errors.ts";
import type { ContextStore } from "./context.ts";
import type { ScopeManager } from "./manager.ts";
import type { ScopeOptions } from "./options.ts";
import { checkFunction } from "./policies.ts";
import type { Applicable } from "./policies.ts";
import type { FaultEvent, ScopeRecord } from "./record.ts";
import { buildReport, nothingInjected } from "./report.ts";
import type { ScopeReport } from "./report.ts";
import type { Span } from "./span.ts";
import { runSpan } from "./run-span.ts";

/**
 * One application of a policy: it begins with the first `run`, and ends when all that was run in it is over.
 *
 * @example
 * const scope = faultScope({ latency: "50ms" });
 * await scope.run(() => client.get("/profile"));
 * assert(scope.report().injected > 0);
 */
export interface FaultScope extends Disposable, AsyncDisposable {
  /**
   * Runs a function in the scope. The scope ends when its work is over: at return or throw, or when the promise that it returned settles.
   * A `run` while another one is under way joins the same scope. After the end, `run` throws `ERR_FAULTCORE_INVALID_USE`: each
   * application needs a scope of its own, since its draws and its report are its own. With the option `strict`, the run with which the scope ends
   * fails where nothing was injected.
   */
  run<R>(fn: () => R): R;
  /** What has happened so far, as plain data. Before the first `run`: a report of nothing. */
  report(): ScopeReport;
  /** The decisions so far, in order; at most 10,000 are kept, and the report says how many there were. */
  events(): FaultEvent[];
  /**
   * Fails where the scope has injected nothing, so that a test does not pass because its policy matched nothing.
   *
   * @param fault a fault that must have acted, as events name it: `"packet_loss"`. Default: any.
   * @throws {FaultcoreError} `ERR_FAULTCORE_NOTHING_INJECTED`, with what the report knows of the reason.
   * @example
   * scope.assertInjected("half_open");
   */
  assertInjected(fault?: string): void;
  /** Aborted when the scope ends, with the reason that `abort` was given. */
  readonly signal: AbortSignal;
  /**
   * Ends the scope now, even if something still runs in it. Also what `using` does at the end of its block. Its connections pass through from
   * then on, but what was decided keeps its time: bytes that wait for their delay go on waiting.
   */
  end(): void;
  /**
   * Ends the scope now, and the waits that it injected: bytes that it holds leave at once, in order, in both directions; connects that wait
   * are dialled, or answered; lookups and datagrams that wait go on. A connection that a fault has failed stays failed, and a
   * failure that was on its way comes at once. May also come after the end, for what that left waiting.
   *
   * @param reason what `signal` is aborted with, if the scope has not ended yet. Default: an `AbortError`.
   * @example
   * setTimeout(() => scope.abort(), 500); // the outage is over
   */
  abort(reason?: unknown): void;
}

/** Runs a body in a scope that is live, with its policy selected: `fault()` inside sees that it is applied already. */
export function applySelected<R>(manager: ScopeManager, contexts: ContextStore, record: ScopeRecord, scope: Span, body: () => R): R {
  const selected = contexts.span({ name: record.policy.name, applied: record });
  const both: Span = {
    enter: (part) => selected.enter(() => scope.enter(part)),
    end: () => {
      selected.end();
      scope.end();
    },
    finish: () => {
      selected.end();
      scope.finish();
    },
  };
  const value = runSpan(both, body);
  manager.own(value, record);
  return value;
}

export class OpenFaultScope implements FaultScope {
  readonly #manager: ScopeManager;
  readonly #contexts: ContextStore;
  readonly #applicable: Applicable;
  readonly #options: ScopeOptions;
  readonly #abort = new AbortController();
  #record: ScopeRecord | undefined;
  #running = 0;

  constructor(manager: ScopeManager, contexts: ContextStore, applicable: Applicable, options: ScopeOptions) {
    this.#manager = manager;
    this.#contexts = contexts;
    this.#applicable = applicable;
    this.#options = options;
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  run<R>(fn: () => R): R {
    checkFunction(fn, "run()");
    const record = this.#open();
    this.#running++;
    let over = false;
    let endedIt = false;
    const end = (): void => {
      if (over) return;
      over = true;
      this.#running--;
      if (this.#running > 0 || !record.live) return;
      endedIt = true;
      this.#manager.end(record);
    };
    const span: Span = {
      enter: (part) => this.#manager.run(record, part),
      end,
      finish: () => {
        end();
        if (endedIt) this.#manager.judge(record);
      },
    };
    return applySelected(this.#manager, this.#contexts, record, span, fn);
  }

  report(): ScopeReport {
    return buildReport(this.#manager.host, this.#record, this.#applicable);
  }

  events(): FaultEvent[] {
    this.#manager.host.drain();
    return [...(this.#record?.events ?? [])];
  }

  assertInjected(fault?: string): void {
    const report = this.report();
    if (fault === undefined ? report.injected > 0 : report.faults[fault] !== undefined) return;
    throw nothingInjected(report, fault);
  }

  end(): void {
    if (this.#record !== undefined) this.#manager.end(this.#record);
    this.#abort.abort();
  }

  abort(reason?: unknown): void {
    if (this.#record !== undefined) this.#manager.abort(this.#record, reason);
    this.#abort.abort(reason);
  }

  [Symbol.dispose](): void {
    this.end();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.end();
    return Promise.resolve();
  }

  #open(): ScopeRecord {
    const { signal } = this.#options;
    if (this.#record === undefined && signal?.aborted === true) this.abort(signal.reason);
    if (this.#abort.signal.aborted) {
      throw new FaultcoreError(
        "ERR_FAULTCORE_INVALID_USE",
        "This fault scope has ended. Make another one with faultScope() for each application.",
        {
          policy: this.#applicable.policy.name,
          expected: "a scope that has not ended",
        },
      );
    }
    if (this.#record === undefined) {
      const record = this.#manager.open(this.#applicable, this.#options);
      this.#record = record;
      record.abort.signal.addEventListener("abort", () => this.#abort.abort(record.abort.signal.reason), { once: true });
    }
    return this.#record;
  }
}
