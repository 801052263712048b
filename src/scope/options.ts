/** The options that all ways of applying a policy share, and reading them. */
import { FaultcoreError } from "../errors.ts";
import { describeValue, quote } from "../internal/describe.ts";
import { didYouMean } from "../internal/did-you-mean.ts";

/** What happens to connections that were open before a scope began. */
export type ExistingConnections = "govern" | "ignore" | "drop";

/** Options of one application of a policy: of `withFaults`, `faultScope` and `fault`. */
export interface ScopeOptions {
  /**
   * Whether a scope that has injected nothing by its end fails, with `ERR_FAULTCORE_NOTHING_INJECTED` and the reason: then a test does not
   * pass because its policy matched nothing. The call's promise rejects; a call that was synchronous throws; the last step of an iterator
   * fails; an emitter emits 'error' before its 'close'; a callback (`callback: "last"`) gets it as its first argument. An error of the call itself
   * is never replaced. Default false.
   */
  readonly strict?: boolean | undefined;
  /**
   * What happens to TCP connections that were open before the scope began. `govern` (default): one that is used in the scope is governed
   * like a new one. `ignore`: it is left alone in the scope, and the report lists it so. `drop`: when the scope begins, those that the
   * policy's targets touch and that no other live scope uses fail with an injected ECONNRESET, so that pools connect again, under the policy.
   */
  readonly existingConnections?: ExistingConnections | undefined;
  /** Aborting it ends the scope, and what the scope holds or delays goes on at once: see `FaultScope.abort`. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `activate`. */
export type ActivationOptions = Pick<ScopeOptions, "existingConnections" | "signal">;

/** What an option takes: one of some texts, or what a test accepts. */
export interface OptionKind {
  readonly expected: string;
  accepts(value: unknown): boolean;
}

export type OptionKinds = Readonly<Record<string, OptionKind>>;

/** An option that takes one of these texts. */
export function choiceOf(...texts: readonly string[]): OptionKind {
  return { expected: `one of ${texts.map(quote).join(", ")}`, accepts: (value) => texts.includes(value as string) };
}

export const ACTIVATION_OPTIONS: OptionKinds = {
  existingConnections: choiceOf("govern", "ignore", "drop"),
  signal: {
    expected: "an AbortSignal",
    // Not `instanceof`: test runners have several realms.
    accepts: (value) => typeof value === "object" && value !== null && "aborted" in value && "addEventListener" in value,
  },
};

export const SCOPE_OPTIONS: OptionKinds = {
  strict: { expected: "true or false", accepts: (value) => typeof value === "boolean" },
  ...ACTIVATION_OPTIONS,
};

/**
 * Throws `ERR_FAULTCORE_INVALID_ARGUMENT` for an option that is unknown or has a wrong value, with its name as `path`.
 *
 * @param what who takes the options, for messages: `withFaults()`
 */
export function checkOptions(what: string, options: unknown, kinds: OptionKinds): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    const text = `${what} takes its options as an object, but got ${describeValue(options)}`;
    throw new FaultcoreError("ERR_FAULTCORE_INVALID_ARGUMENT", text, { expected: "an object with options" });
  }
  for (const [key, value] of Object.entries(options)) {
    if (value === undefined) continue;
    const kind = Object.hasOwn(kinds, key) ? kinds[key] : undefined;
    if (kind === undefined) throw unknownOption(what, key, Object.keys(kinds));
    if (kind.accepts(value)) continue;
    const text = `${what}: the option ${key} is ${describeValue(value)}; expected ${kind.expected}`;
    throw new FaultcoreError("ERR_FAULTCORE_INVALID_ARGUMENT", text, { path: key, expected: kind.expected });
  }
}

function unknownOption(what: string, key: string, known: readonly string[]): FaultcoreError {
  const expected = `one of ${known.join(", ")}`;
  const meant = didYouMean(key, known);
  const hint =
    meant === undefined
      ? `expected ${expected}. Fields of a policy are no options: give a name or fields, never both`
      : `did you mean ${meant}?`;
  return new FaultcoreError("ERR_FAULTCORE_INVALID_ARGUMENT", `${what} has no option ${quote(key)}: ${hint}`, { path: key, expected });
}
