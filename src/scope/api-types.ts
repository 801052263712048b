/** The types and the documentation of the public functions that select and apply policies. */
import type { PolicyFields } from "../policy/fields.ts";
import type { Activation } from "./activation.ts";
import type { PolicyContext } from "./context.ts";
import type { EffectApi } from "./effect-types.ts";
import type { FaultScope } from "./fault-scope.ts";
import type { FaultOptions } from "./fault.ts";
import type { FaultListener, StopListening } from "./on-fault.ts";
import type { ActivationOptions, ScopeOptions } from "./options.ts";
import type { FaultWrapper } from "./wrap.ts";

/** The public functions that select and apply policies, and observe what they do. */
export interface ScopeApi extends EffectApi {
  /**
   * Selects a policy for an async context. Selecting injects nothing: functions made with `fault()` read the selection when they are
   * called.
   *
   * `run(fn)` is the primary form. In a function body, `using` and `await using` select from the declaration to the end of the block;
   * until then they select for the caller of an async function too, which `run` never does.
   *
   * @param nameOrFields the name of a policy, which may be registered later, or inline fields: a temporary policy that is not listed and is
   * gone on exit. Never both.
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_ARGUMENT` for a second argument or what is neither; `ERR_FAULTCORE_INVALID_NAME` for an
   * empty name or `auto`; `ERR_FAULTCORE_INVALID_POLICY` for bad fields.
   * @example
   * await policyContext("slow").run(() => loadProfile());
   */
  policyContext(nameOrFields: string | PolicyFields): PolicyContext;

  /**
   * Selects a policy by name for the rest of the current async context, or none with null. Inside `policyContext`, it lasts no longer
   * than that context; outside, until `reset()`, and async tracking stays on as long. As with `using`, an async function that has not awaited
   * yet selects for its caller too. What a hook of a test runner selects reaches its tests in some runners only (vitest, but not
   * node:test): in tests, prefer `policyContext(…).run(…)`.
   *
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_NAME`, `ERR_FAULTCORE_INVALID_ARGUMENT`.
   * @example
   * setContextPolicy("slow");
   * await loadProfile(); // made with fault()
   */
  setContextPolicy(name: string | null): void;

  /**
   * The name of the policy that is selected here, registered or not; null where there is none. Inline fields have a name of the form
   * `inline:1a2b3c4d`, which says that something is selected, and cannot itself be selected or looked up.
   *
   * @example
   * policyContext("slow").run(() => getContextPolicy()); // "slow"
   */
  getContextPolicy(): string | null;

  /**
   * Makes a wrapper that applies a policy to every call of a function. It is a method decorator too, in the standard form and in the
   * legacy form (`experimentalDecorators`), for static, instance and private methods.
   *
   * Each call opens a scope of its own. It ends when the work of the call is over: for a thenable, when it settles; for an iterator or async
   * iterator, when it is done, returns or throws, and each `next()` runs in the scope; for an EventEmitter (a stream, a ClientRequest), at
   * 'close'; else at return. What is several of these is a thenable first, then an iterator; an emitter that is also one of them ends
   * at 'close' at the latest. A promise gives one of the same class. A lazy thenable, whose work starts in `then` (a query builder),
   * stays the same object: its work runs in the scope when it is started; started otherwise, or again after it settled, it runs unfaulted.
   * Scopes of work that was abandoned end at `reset()`.
   *
   * The policy in the innermost scope governs alone. A call that finds no policy opens no scope, so one around it continues.
   *
   * @param nameOrFields a name, which is looked up at each call; inline fields; or `auto` (default): the policy that is selected when the
   * function is called. Inside `withFaults` and `faultScope`, `auto` finds their policy applied already and opens nothing.
   * @param options `missing: "throw"` instead of a warning for a name that is not registered; `callback: "last"` for functions that tell by
   * a callback that they are done; and the options of every scope: `strict`, `existingConnections`, `signal`.
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_NAME`, `ERR_FAULTCORE_INVALID_POLICY`, `ERR_FAULTCORE_INVALID_ARGUMENT`. The wrapper
   * throws `ERR_FAULTCORE_INVALID_USE` on anything but functions and methods, and its function `ERR_FAULTCORE_UNKNOWN_POLICY`
   * or `ERR_FAULTCORE_TABLE_FULL` when a scope cannot be opened: at the call, not in its promise.
   * @example
   * const load = fault("slow")(async (id: string) => (await fetch(`${url}/${id}`)).json());
   * class Users { @fault() async find(id: string) { return this.db.query(id); } }
   */
  fault(nameOrFields?: string | PolicyFields, options?: FaultOptions): FaultWrapper;

  /**
   * Selects and applies a policy for one call of `fn`, and returns what `fn` returns. The scope ends when the work is over, by the rules of
   * `fault()`.
   *
   * @param options `strict`: a scope that injected nothing fails the call, with `ERR_FAULTCORE_NOTHING_INJECTED`; `existingConnections`: what happens to
   * connections that were open before; `signal`: ends the scope and its waits. See {@link ScopeOptions}.
   * @throws {FaultcoreError} before `fn` is called: `ERR_FAULTCORE_UNKNOWN_POLICY` for a name that is not registered,
   * `ERR_FAULTCORE_INVALID_ARGUMENT` for a bad option, and as `fault()`.
   * @example
   * const user = await withFaults({ latency: "50ms" }, () => client.getUser("1"), { strict: true });
   */
  withFaults<R>(nameOrFields: string | PolicyFields, fn: () => R, options?: ScopeOptions): R;

  /**
   * One application of a policy with its report, events and an abort signal. Nothing happens before `run`.
   *
   * @param options as those of `withFaults`. `strict` judges the run with which the scope ends.
   * @throws {FaultcoreError} `ERR_FAULTCORE_UNKNOWN_POLICY`, `ERR_FAULTCORE_INVALID_POLICY`, `ERR_FAULTCORE_INVALID_ARGUMENT`.
   * @example
   * const scope = faultScope("slow");
   * await scope.run(() => client.getUser("1"));
   * console.log(scope.report().injected);
   */
  faultScope(nameOrFields: string | PolicyFields, options?: ScopeOptions): FaultScope;

  /**
   * Runs `fn` where no scope around it and no activation applies, until its work is over (by the rules of `fault()`). Scopes that are opened
   * inside apply.
   *
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_ARGUMENT` where `fn` is no function.
   * @example
   * await withoutFaults(() => db.query("TRUNCATE users"));
   */
  withoutFaults<R>(fn: () => R): R;

  /**
   * Applies a policy to the whole process, wherever no scope and no `withoutFaults` does, until it is disposed of. While several are
   * active, the newest governs alone; when it is disposed of, the one before it does again.
   *
   * @param options `existingConnections`: what happens to connections that were open before, in this thread; `signal`: disposes of the activation, and
   * ends its waits.
   * @throws {FaultcoreError} as `withFaults`; then nothing has changed.
   * @example
   * using outage = activate({ connectionError: { kind: "refused" } });
   */
  activate(nameOrFields: string | PolicyFields, options?: ActivationOptions): Activation;

  /**
   * Between tests: ends all scopes, activations and `withoutFaults`, also those of abandoned work, and all selections; clears policies and
   * ordinals, so that the next test draws as the first one did. Listeners of `onFault` stay. Work that goes on runs unfaulted.
   *
   * @example
   * afterEach(() => reset());
   */
  reset(): void;

  /**
   * Whether a fault raised this error, or one behind its `cause` or among its `errors` (of an AggregateError), at any depth. An injected
   * error equals Node's own in every field, so its code cannot tell.
   *
   * @example
   * try { await fetch(url); }
   * catch (error) { if (!isInjected(error)) throw error; } // undici has the socket's error in `cause`
   */
  isInjected(error: unknown): boolean;

  /**
   * Calls a listener with every event, as the relay reports it: after the fact, not in the scope's async context. The same events go to the
   * diagnostics channel `faultcore:event`. What a listener throws becomes an uncaught exception; the others hear of the event all the same.
   *
   * @returns a function that stops listening; also for `using`.
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_ARGUMENT` where `listener` is no function.
   * @example
   * const stop = onFault((event) => console.log(event.target, event.fault, event.delayMs));
   */
  onFault(listener: FaultListener): StopListening;
}
