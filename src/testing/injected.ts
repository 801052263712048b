/** Whether a scope has injected what a test expects of it, and the text that says why not. */
import { formatReport } from "../index.ts";
import type { FaultScope } from "../index.ts";
import { checkFaultName } from "./fault-names.ts";
import type { InjectedFault } from "./fault-names.ts";
import { invalid } from "./invalid.ts";

/** How often. Default: at least once. */
export interface InjectedOptions {
  /** Exactly this often. */
  readonly times?: number | undefined;
  /** This often or more. */
  readonly atLeast?: number | undefined;
}

/** What a check found. `message` is for the way in which it is not what was expected: negated where `pass`. */
export interface Finding {
  readonly pass: boolean;
  readonly message: string;
}

/** @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_ARGUMENT` where `received` is no scope, or a name or number cannot be. */
export function checkInjected(where: string, received: unknown, fault?: InjectedFault, options: InjectedOptions = {}): Finding {
  const scope = asScope(received, where);
  checkFaultName(fault, where);
  const { times, atLeast } = options;
  const wanted = checkCount(times ?? atLeast ?? 1, times === undefined ? "atLeast" : "times", where);
  if (times !== undefined && atLeast !== undefined) throw invalid(where, "takes `times` or `atLeast`, not both", "one of them");
  const report = scope.report();
  const count = fault === undefined ? report.injected : (report.faults[fault]?.count ?? 0);
  const pass = times === undefined ? count >= wanted : count === wanted;
  const what = fault ?? "a fault";
  const often = `${times === undefined ? "at least " : ""}${timesText(wanted)}`;
  const expected = `Expected the scope of policy "${report.policy}" ${pass ? "not " : ""}to have injected ${what} ${often}`;
  const silence = pass || count > 0 ? undefined : silenceOf(scope, fault);
  return {
    pass,
    message: `${expected}; it did ${timesText(count)}.\n${silence === undefined ? "" : `${silence}\n`}${formatReport(report)}`,
  };
}

/** By its shape: in Jest, a scope can come from another copy of the package. */
function asScope(received: unknown, where: string): FaultScope {
  const scope = received as Partial<FaultScope> | null | undefined;
  if (typeof scope?.report === "function" && typeof scope.assertInjected === "function") return scope as FaultScope;
  throw invalid(where, "takes a fault scope", "what faults.scope() or faultScope() gives");
}

/** The reason that `assertInjected` gives. */
function silenceOf(scope: FaultScope, fault: string | undefined): string | undefined {
  try {
    scope.assertInjected(fault);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

function checkCount(count: number, option: string, where: string): number {
  if (Number.isSafeInteger(count) && count >= 0) return count;
  throw invalid(where, `takes an integer from 0 as \`${option}\`, not ${String(count)}`, "an integer from 0");
}

function timesText(count: number): string {
  return count === 0 ? "never" : count === 1 ? "once" : `${count} times`;
}
