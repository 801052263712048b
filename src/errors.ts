/**
 * The errors that are faultcore's own.
 *
 * Owns: the class, the stable codes. Never: injected faults, which equal Node's own errors and carry only a hidden brand
 * (`internal/brand.ts`).
 */

/** Every code that a `FaultcoreError` can carry. `docs/errors.md` has one entry for each, which a test checks. */
export type FaultcoreErrorCode =
  /** A policy field is missing, unknown, misspelt or has a bad value; `path` names it. */
  | "ERR_FAULTCORE_INVALID_POLICY"
  /** A policy name is empty, reserved (`auto`, `preset:…`, `$…`) or not a string. */
  | "ERR_FAULTCORE_INVALID_NAME"
  /** A function of the API was called with an argument that it does not take. */
  | "ERR_FAULTCORE_INVALID_ARGUMENT"
  /** A policy file cannot be read, is not JSON or YAML, or holds an invalid policy. */
  | "ERR_FAULTCORE_POLICY_FILE"
  /** No policy of this name is registered, and the caller asked for that to be an error. */
  | "ERR_FAULTCORE_UNKNOWN_POLICY"
  /** More scopes, flows or threads at once than the policy table has rows. */
  | "ERR_FAULTCORE_TABLE_FULL"
  /** The relay could not be started, or died and could not be replaced. */
  | "ERR_FAULTCORE_RELAY"
  /** `assertInjected()`: the scope injected nothing, or not the fault that was asked for. */
  | "ERR_FAULTCORE_NOTHING_INJECTED"
  /** A decorator was put on something that it cannot decorate, or a scope was used after its end. */
  | "ERR_FAULTCORE_INVALID_USE";

/** Where in the input the error lies, and what would have been right. */
export interface FaultcoreErrorDetails {
  /** Path of the offending field, in the spelling that the input used: `timeout.connect`, `targets[0].port`. */
  readonly path?: string | undefined;
  /** What was expected at `path`, as text. */
  readonly expected?: string | undefined;
  /** The policy that the error is about. */
  readonly policy?: string | undefined;
  /** The file that the error is about. */
  readonly file?: string | undefined;
  /** Line in `file`, from 1, for syntax errors. */
  readonly line?: number | undefined;
  readonly cause?: unknown;
}

/** The mark of the class, in every copy of the package. */
const kOurs = Symbol.for("faultcore.FaultcoreError");

/**
 * An error of faultcore's own making: bad input, a limit, a relay that died.
 *
 * @example
 * try { registerPolicy("slow", { latncy: "50ms" }); }
 * catch (error) { if (error instanceof FaultcoreError) console.log(error.code, error.path); }
 */
export class FaultcoreError extends Error {
  readonly code: FaultcoreErrorCode;
  readonly path: string | undefined;
  readonly expected: string | undefined;
  readonly policy: string | undefined;
  readonly file: string | undefined;
  readonly line: number | undefined;

  constructor(code: FaultcoreErrorCode, message: string, details: FaultcoreErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.path = details.path;
    this.expected = details.expected;
    this.policy = details.policy;
    this.file = details.file;
    this.line = details.line;
  }

  /** Copies of the package share one runtime, so an error may come from another copy (test files of Jest's ESM mode have one each). */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (this !== FaultcoreError) return Function.prototype[Symbol.hasInstance].call(this, value);
    return typeof value === "object" && value !== null && kOurs in value;
  }

  static {
    Object.defineProperty(this.prototype, kOurs, { value: true });
  }

  // As Node's own errors print: the code is part of the name in the stack, not of the message.
  override get name(): string {
    return "FaultcoreError";
  }
}
