/**
 * The faults of one test: what the helpers of every test runner share.
 *
 * Owns: the scopes that a test made, the policies that it registered, and the clean slate behind it.
 * Never: anything of a particular runner. A runner's file says when a test begins and ends, and where a note is printed.
 *
 * Invariant: `reset()` is called when no test of this thread has a session open. So tests that run at the same time do not end each
 * other's scopes.
 */
import { FaultcoreError } from "../errors.ts";
import { faultScope, getPolicy, install, listPolicies, onFault, registerPolicy, reset, unregisterPolicy } from "../index.ts";
import type { FaultScope, PolicyFields, ScopeOptions, StopListening } from "../index.ts";

/** What a test does to its network. All of it is over when the test is. */
export interface TestFaults {
  /**
   * A scope, as `faultScope()` makes it. It ends with the test at the latest, and its report is printed if the test fails.
   *
   * @param nameOrFields the name of a registered policy or preset, or inline fields.
   * @param options as `faultScope()` takes them: `strict: true` fails what injected nothing.
   * @throws {FaultcoreError} what `faultScope()` throws; `ERR_FAULTCORE_INVALID_USE` when the test is over.
   * @example
   * const scope = faults.scope({ latency: "50ms" });
   * await scope.run(() => client.get("/profile"));
   */
  scope(nameOrFields: string | PolicyFields, options?: ScopeOptions): FaultScope;
  /**
   * Runs a function in a scope of its own, and gives what the function gives.
   *
   * @throws {FaultcoreError} as `scope()`.
   * @example
   * const profile = await faults.run("slow_link", () => client.get("/profile"));
   */
  run<R>(nameOrFields: string | PolicyFields, fn: () => R, options?: ScopeOptions): R;
  /**
   * Registers a policy for the rest of the test. One of the same name that was registered before the test is back afterwards.
   *
   * @throws {FaultcoreError} what `registerPolicy()` throws; `ERR_FAULTCORE_INVALID_USE` where a test that runs at the same time
   * has registered this name, since the registry is the thread's.
   * @example
   * faults.registerPolicy("slow_link", { latency: "50ms" });
   */
  registerPolicy(name: string, fields: PolicyFields): void;
}

/** A scope that was not made through the session, as far as its events tell. */
export interface OtherScope {
  readonly policy: string;
  readonly seed: string;
  events: number;
}

// The relay's thread starts while the test file is still being loaded: else the first faulted test would pay for it, with its time limits.
install();

const open = new Set<TestSession>();
/** What was registered when the first of the open sessions began. */
let before: ReadonlyMap<string, PolicyFields> = new Map();

export class TestSession implements TestFaults {
  readonly scopes: FaultScope[] = [];
  readonly #names = new Set<string>();
  readonly #others = new Map<number, OtherScope>();
  readonly #stop: StopListening;
  #over = false;

  constructor() {
    if (open.size === 0) before = registered();
    open.add(this);
    this.#stop = onFault(({ scope, policy, seed }) => {
      const other = this.#others.get(scope);
      if (other === undefined) this.#others.set(scope, { policy, seed, events: 1 });
      else other.events++;
    });
  }

  scope(nameOrFields: string | PolicyFields, options?: ScopeOptions): FaultScope {
    this.#check();
    const scope = faultScope(nameOrFields, options);
    this.scopes.push(scope);
    return scope;
  }

  run<R>(nameOrFields: string | PolicyFields, fn: () => R, options?: ScopeOptions): R {
    return this.scope(nameOrFields, options).run(fn);
  }

  registerPolicy(name: string, fields: PolicyFields): void {
    this.#check();
    for (const session of open) {
      if (session === this || !session.#names.has(name)) continue;
      throw new FaultcoreError(
        "ERR_FAULTCORE_INVALID_USE",
        `Another test that runs at the same time has registered the policy "${name}". Give each its own name, or inline fields.`,
        { policy: name, expected: "a name that no concurrent test registers" },
      );
    }
    registerPolicy(name, fields);
    this.#names.add(name);
  }

  /** Scopes that had events during the test and were made without the session: `withFaults()`, `fault()`, activations. */
  others(): OtherScope[] {
    const own = new Set(this.scopes.map((scope) => scope.report().scope));
    return [...this.#others].filter(([scope]) => !own.has(scope)).map(([, other]) => other);
  }

  /** Ends what the test began. With the last open session everything is reset, and policies are what they were before. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    for (const scope of this.scopes) scope.end();
    this.#stop();
    open.delete(this);
    if (open.size > 0) {
      for (const name of this.#names) restore(name);
      return;
    }
    reset();
    for (const name of before.keys()) restore(name);
  }

  #check(): void {
    if (!this.#over) return;
    throw new FaultcoreError(
      "ERR_FAULTCORE_INVALID_USE",
      "The test that these faults belong to has ended: something in it was not awaited.",
      {
        expected: "a test that is running",
      },
    );
  }
}

function registered(): Map<string, PolicyFields> {
  return new Map(listPolicies().map((name) => [name, getPolicy(name) ?? {}]));
}

function restore(name: string): void {
  const fields = before.get(name);
  if (fields === undefined) unregisterPolicy(name);
  else registerPolicy(name, fields);
}
