/** Whether something fails with an error of a code, wherever in the error that code stands. */
import util from "node:util";
import { isInjected } from "../index.ts";
import { errorsBehind } from "../internal/errors-behind.ts";
import type { Finding } from "./injected.ts";
import { invalid } from "./invalid.ts";

/** What is asked of the error beside its code. */
export interface FailureOptions {
  /** `true`: a fault must have raised it; `false`: none may have. Default: either. */
  readonly injected?: boolean | undefined;
}

export interface FailureFinding extends Finding {
  /** The error that has the code: the outermost one. */
  readonly error: unknown;
}

/**
 * Waits for a promise, or calls a function and waits for what it returns.
 *
 * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_ARGUMENT` where `received` is neither, or the code is neither text nor a number.
 */
export async function checkFailure(
  where: string,
  received: unknown,
  code: string | number,
  options: FailureOptions = {},
): Promise<FailureFinding> {
  if (typeof code !== "string" && typeof code !== "number") throw invalid(where, "takes an error code", 'a code such as "ECONNRESET"');
  if (typeof received !== "function" && typeof (received as PromiseLike<unknown> | null | undefined)?.then !== "function") {
    throw invalid(where, "takes a promise or a function", "a promise, or a function that is called");
  }
  const wanted = `${options.injected === undefined ? "" : options.injected ? "injected " : "genuine "}${code}`;
  let outer: unknown;
  try {
    await (typeof received === "function" ? (received as () => unknown)() : received);
    return { pass: false, error: undefined, message: `Expected a failure with ${wanted}, but nothing failed.` };
  } catch (reason) {
    outer = reason;
  }
  const errors = [...errorsBehind(outer)];
  const error = errors.find((each) => codeOf(each) === code && (options.injected ?? isInjected(each)) === isInjected(each));
  if (error !== undefined) return { pass: true, error, message: `Expected no failure with ${wanted}, but there was:\n${describe(errors)}` };
  return { pass: false, error: outer, message: `Expected a failure with ${wanted}, but this failed:\n${describe(errors)}` };
}

function codeOf(error: unknown): unknown {
  return typeof error === "object" && error !== null ? (error as { code?: unknown }).code : undefined;
}

function describe(errors: readonly unknown[]): string {
  return errors.map((error) => `  ${describeOne(error)}`).join("\n");
}

function describeOne(error: unknown): string {
  const text =
    error instanceof Error || util.types.isNativeError(error) ? `${error.name}: ${error.message}` : `thrown: ${util.inspect(error)}`;
  const code = codeOf(error);
  return `${text}${typeof code === "string" || typeof code === "number" ? ` [${code}]` : ""}${isInjected(error) ? " (injected)" : ""}`;
}
