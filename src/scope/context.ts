/**
 * The policy that is selected for the current async context. Selecting injects nothing: `fault()` reads the selection when it is called.
 *
 * Invariant: what is selected by a context is gone when the context is over, wherever code that started in it still runs.
 */
import { FaultcoreError } from "../errors.ts";
import { describeValue } from "../internal/describe.ts";
import type { PolicyFields } from "../policy/fields.ts";
import { SleepyStorage } from "./frames.ts";
import { checkFields, checkFunction, checkUsableName, refuseSecond } from "./policies.ts";
import type { Applicable, Policies } from "./policies.ts";
import type { ScopeRecord } from "./record.ts";
import { runSpan } from "./run-span.ts";
import type { Span } from "./span.ts";

/** A selected policy. */
export interface Selection {
  readonly name: string;
  /** The policy itself where it has no registered name. */
  readonly inline?: Applicable | undefined;
  /** The scope that applies this selection already (`withFaults`): inside it, there is nothing left to apply. */
  readonly applied?: ScopeRecord | undefined;
}

/** What the async store holds. Closing it takes the selection back from everybody who still sees it. */
class Cell {
  readonly selection: Selection | null;
  readonly parent: Cell | undefined;
  /** Set by `setContextPolicy`: it lasts as long as the context around it, which is `parent`. */
  readonly bare: boolean;
  #open = true;

  constructor(selection: Selection | null, parent: Cell | undefined, bare: boolean) {
    this.selection = selection;
    this.parent = parent;
    this.bare = bare;
  }

  get open(): boolean {
    if (!this.#open || this.selection?.applied?.live === false) return false;
    return !this.bare || this.parent === undefined || this.parent.open;
  }

  close(): void {
    this.#open = false;
  }
}

/**
 * A selected policy, for `run`, `using` or `await using`.
 *
 * @example
 * await policyContext("slow").run(async () => {
 *   await loadProfile(); // declared as fault()(async () => …): runs under "slow"
 * });
 */
export interface PolicyContext extends Disposable, AsyncDisposable {
  /** The policy's name; `inline:…` for inline fields. */
  readonly policy: string;
  /**
   * Runs a function with the policy selected, and restores the selection when its work is over: at return or throw, or when the promise
   * that it returned settles. Contexts that run at the same time never see each other.
   */
  run<R>(fn: () => R): R;
}

export class ContextStore {
  readonly #policies: Policies;
  readonly #storage = new SleepyStorage<Cell>();
  /** Cells of contexts that are not over. Each holds the storage. */
  readonly #cells = new Set<Cell>();
  /** What `setContextPolicy` selects outside of all contexts lasts until `reset`. */
  #root = new Cell(null, undefined, false);

  constructor(policies: Policies) {
    this.#policies = policies;
  }

  current(): Selection | null {
    return this.#innermost()?.selection ?? null;
  }

  set(name: string | null): void {
    if (name !== null && typeof name !== "string") {
      const text = `setContextPolicy() takes the name of a policy or null, but got ${describeValue(name)}. For inline fields there is policyContext()`;
      throw new FaultcoreError("ERR_FAULTCORE_INVALID_ARGUMENT", text, { expected: "the name of a policy, or null" });
    }
    const selection = name === null ? null : { name: checkUsableName(name, "setContextPolicy()") };
    let context = this.#innermost();
    while (context?.bare) context = context.parent;
    if (context === undefined || context === this.#root) {
      if (selection === null && !this.#cells.has(this.#root)) return;
      this.#keep(this.#root);
      context = this.#root;
    }
    this.#storage.enter(new Cell(selection, context, true));
  }

  context(nameOrFields: string | PolicyFields, rest: readonly unknown[]): PolicyContext {
    refuseSecond("policyContext()", rest);
    if (typeof nameOrFields === "string") return new SelectedContext(this, { name: checkUsableName(nameOrFields, "policyContext()") });
    const inline = this.#policies.inline(checkFields(nameOrFields, "policyContext()"));
    return new SelectedContext(this, { name: inline.policy.name, inline });
  }

  run<R>(selection: Selection, body: () => R): R {
    return runSpan(this.span(selection), body);
  }

  span(selection: Selection): Span {
    const cell = this.#openCell(selection);
    return {
      enter: (part) => (cell.open ? this.#storage.run(cell, part) : part()),
      end: () => this.#close(cell),
      finish: () => this.#close(cell),
    };
  }

  /** Selects from here on, for the caller too. Returns what takes it back. */
  enter(selection: Selection): () => void {
    const cell = this.#openCell(selection);
    this.#storage.enter(cell);
    return () => {
      if (cell.open && this.#storage.get() === cell) this.#storage.enter(cell.parent);
      this.#close(cell);
    };
  }

  reset(): void {
    for (const cell of this.#cells) this.#close(cell);
    this.#root = new Cell(null, undefined, false);
  }

  /** Contexts that are not over, `setContextPolicy` counting as one; 0 = async tracking is off. */
  openCount(): number {
    return this.#cells.size;
  }

  /** The innermost open cell: closed ones never open again, so nobody need keep them. */
  #innermost(): Cell | undefined {
    let cell = this.#storage.get();
    while (cell !== undefined && !cell.open) cell = cell.parent;
    return cell;
  }

  #openCell(selection: Selection): Cell {
    const cell = new Cell(selection, this.#innermost(), false);
    this.#keep(cell);
    return cell;
  }

  #keep(cell: Cell): void {
    if (this.#cells.has(cell)) return;
    this.#cells.add(cell);
    this.#storage.hold();
  }

  #close(cell: Cell): void {
    cell.close();
    if (this.#cells.delete(cell)) this.#storage.drop();
  }
}

class SelectedContext implements PolicyContext {
  readonly #store: ContextStore;
  readonly #selection: Selection;

  constructor(store: ContextStore, selection: Selection) {
    this.#store = store;
    this.#selection = selection;
  }

  get policy(): string {
    return this.#selection.name;
  }

  run<R>(fn: () => R): R {
    checkFunction(fn, "run()");
    return this.#store.run(this.#selection, fn);
  }

  // A `using` declaration reads the method once, where it stands, and calls it at the end of the block: so reading it selects. A context
  // that is made for `run` must not select anything for its maker.
  get [Symbol.dispose](): () => void {
    return this.#store.enter(this.#selection);
  }

  get [Symbol.asyncDispose](): () => Promise<void> {
    const leave = this.#store.enter(this.#selection);
    return () => {
      leave();
      return Promise.resolve();
    };
  }
}
