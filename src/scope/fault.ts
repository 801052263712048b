/** `fault()`: a policy applied to each call of a function. */
import { FaultcoreError } from "../errors.ts";
import type { PolicyFields } from "../policy/fields.ts";
import type { ContextStore } from "./context.ts";
import { currentFrame, runInThisFrame } from "./frames.ts";
import type { ScopeManager } from "./manager.ts";
import { SCOPE_OPTIONS, checkOptions, choiceOf } from "./options.ts";
import type { OptionKinds, ScopeOptions } from "./options.ts";
import { checkFields, checkUsableName } from "./policies.ts";
import type { Applicable, Policies } from "./policies.ts";
import type { ScopeRecord } from "./record.ts";
import { makeWrapper, replaceFunction } from "./wrap.ts";
import type { AnyFunction, FaultWrapper } from "./wrap.ts";

/** Options of `fault()`. */
export interface FaultOptions extends ScopeOptions {
  /**
   * What happens when the policy is not registered at the time of a call. `warn` (default): the function runs unfaulted, and the process
   * warns once per name; `throw`: the call throws `ERR_FAULTCORE_UNKNOWN_POLICY`.
   */
  readonly missing?: "warn" | "throw" | undefined;
  /**
   * `last`: the function tells that it is done by calling its last argument, a function; the scope ends then, and not when the function
   * returns. A call whose last argument is no function follows the usual rules.
   */
  readonly callback?: "last" | undefined;
}

const OPTIONS: OptionKinds = { missing: choiceOf("warn", "throw"), callback: choiceOf("last"), ...SCOPE_OPTIONS };

export class Faults {
  readonly #manager: ScopeManager;
  readonly #policies: Policies;
  readonly #contexts: ContextStore;
  /** Names that the process was warned about. */
  readonly #warned = new Set<string>();

  constructor(manager: ScopeManager, policies: Policies, contexts: ContextStore) {
    this.#manager = manager;
    this.#policies = policies;
    this.#contexts = contexts;
  }

  fault(nameOrFields: string | PolicyFields, options: FaultOptions): FaultWrapper {
    if (typeof nameOrFields === "function") {
      const text = "fault is called to make a decorator or a wrapper: write @fault() or fault()(fn), not @fault or fault(fn)";
      throw new FaultcoreError("ERR_FAULTCORE_INVALID_USE", text, { expected: "the name of a policy, its fields, or nothing" });
    }
    checkOptions("fault()", options, OPTIONS);
    const find = this.#finder(nameOrFields, options.missing === "throw");
    return makeWrapper("fault()", (fn) =>
      replaceFunction(fn, (original, self, args) => {
        const found = find();
        if (found === undefined) return original.apply(self as never, args as never);
        const record = this.#manager.open(found, options);
        return options.callback === "last"
          ? runUntilCallback(this.#manager, record, original, self, args)
          : this.#manager.apply(record, () => original.apply(self as never, args as never));
      }),
    );
  }

  reset(): void {
    this.#warned.clear();
  }

  /** What gives the policy of a call. */
  #finder(nameOrFields: string | PolicyFields, strict: boolean): () => Applicable | undefined {
    if (nameOrFields === "auto") {
      return () => {
        const selection = this.#contexts.current();
        if (selection === null || selection.applied !== undefined) return undefined;
        return selection.inline ?? this.#named(selection.name, strict);
      };
    }
    if (typeof nameOrFields === "string") {
      const name = checkUsableName(nameOrFields, "fault()");
      return () => this.#named(name, strict);
    }
    const inline = this.#policies.inline(checkFields(nameOrFields, "fault()"));
    return () => inline;
  }

  #named(name: string, strict: boolean): Applicable | undefined {
    const found = this.#policies.named(name);
    if (found !== undefined) return found;
    if (strict) throw this.#policies.unknown(name);
    if (!this.#warned.has(name)) {
      this.#warned.add(name);
      process.emitWarning(`${this.#policies.unknownText(name)} The function runs without faults.`, {
        type: "FaultcoreWarning",
        code: "FAULTCORE_MISSING_POLICY",
      });
    }
    return undefined;
  }
}

/** Ends the scope when the callback is called, and runs the callback in the scope that the caller was in. */
function runUntilCallback(manager: ScopeManager, record: ScopeRecord, fn: AnyFunction, self: unknown, args: unknown[]): unknown {
  const callback = args.at(-1);
  if (typeof callback !== "function") return manager.apply(record, () => fn.apply(self as never, args as never));
  const frame = currentFrame();
  const span = manager.span(record);
  const done = replaceFunction(callback as AnyFunction, (original, its, results) => {
    const failed = Boolean(results[0]);
    let told = results;
    try {
      if (failed) span.end();
      else span.finish();
    } catch (error) {
      told = [error];
    }
    return runInThisFrame(frame, () => original.apply(its as never, told as never));
  });
  try {
    return span.enter(() => fn.apply(self as never, [...args.slice(0, -1), done] as never));
  } catch (error) {
    span.end();
    throw error;
  }
}
