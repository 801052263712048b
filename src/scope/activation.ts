/** Applying a policy to the whole process: `activate()`. */
import { FaultcoreError } from "../errors.ts";
import type { PolicyFields } from "../policy/fields.ts";
import type { ScopeManager } from "./manager.ts";
import type { ActivationOptions } from "./options.ts";
import type { Applicable, Policies } from "./policies.ts";
import type { FaultEvent, ScopeRecord } from "./record.ts";
import { buildReport } from "./report.ts";
import type { ScopeReport } from "./report.ts";

/**
 * A policy that applies to the whole process, wherever no scope and no `withoutFaults` does, until it is disposed of.
 *
 * @example
 * using slow = activate({ latency: "100ms" });
 * slow.update({ latency: "300ms" });
 */
export interface Activation extends Disposable, AsyncDisposable {
  /**
   * Puts another policy in the place of this one: a name, or fields, which replace all fields. It is a new application, with a report
   * of its own. When the new policy is invalid or not registered, `update` throws and the old one stays in force.
   */
  update(nameOrFields: string | PolicyFields): void;
  /** Ends the activation; repeating it does nothing. One that it covered is in force again. */
  dispose(): void;
  /** What has happened since the latest `update`. */
  report(): ScopeReport;
  /** The decisions since the latest `update`, in order. */
  events(): FaultEvent[];
  /** False once it is disposed of, also by `reset()`. */
  readonly active: boolean;
}

export class OpenActivation implements Activation {
  readonly #manager: ScopeManager;
  readonly #policies: Policies;
  readonly #options: ActivationOptions;
  #applicable: Applicable;
  #record: ScopeRecord;

  constructor(manager: ScopeManager, policies: Policies, nameOrFields: string | PolicyFields, options: ActivationOptions) {
    this.#manager = manager;
    this.#policies = policies;
    this.#options = options;
    this.#applicable = policies.required(nameOrFields, "activate()");
    this.#record = manager.openActivation(this.#applicable, options);
  }

  get active(): boolean {
    return this.#record.live;
  }

  update(nameOrFields: string | PolicyFields): void {
    if (!this.active) {
      const text = "This activation was disposed of. Make another one with activate()";
      throw new FaultcoreError("ERR_FAULTCORE_INVALID_USE", text, { expected: "an activation that is in force" });
    }
    const applicable = this.#policies.required(nameOrFields, "update()");
    const replaced = this.#record;
    this.#record = this.#manager.openActivation(applicable, this.#options, replaced);
    this.#applicable = applicable;
    this.#manager.end(replaced);
  }

  dispose(): void {
    this.#manager.end(this.#record);
  }

  report(): ScopeReport {
    return buildReport(this.#manager.host, this.#record, this.#applicable);
  }

  events(): FaultEvent[] {
    this.#manager.host.drain();
    return [...this.#record.events];
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.dispose();
    return Promise.resolve();
  }
}
