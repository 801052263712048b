/**
 * `faultcore/node-test`: faults in tests of `node:test`.
 *
 * Owns: the moment when a test ends, and the place of the note when it fails.
 */
import { AssertionError } from "node:assert";
import type { TestContext } from "node:test";
import { checkFailure } from "./failure.ts";
import type { FailureOptions } from "./failure.ts";
import type { InjectedFault } from "./fault-names.ts";
import { failureNote, shownPath, titlePattern } from "./failure-note.ts";
import { checkInjected } from "./injected.ts";
import type { InjectedOptions } from "./injected.ts";
import { TestSession } from "./session.ts";
import type { TestFaults } from "./session.ts";
import type { FaultScope } from "../index.ts";

export type { FailureOptions } from "./failure.ts";
export type { InjectedFault } from "./fault-names.ts";
export type { InjectedOptions } from "./injected.ts";
export type { TestFaults } from "./session.ts";

const sessions = new WeakMap<TestContext, TestSession>();

/** What the types of Node 20 do not have yet of a context that every supported Node has. */
interface Outcome {
  readonly passed?: boolean;
  readonly filePath?: string;
}

/**
 * The faults of a test. After the test, its scopes have ended, and policies are what they were before this call. A test that fails
 * says as diagnostics which faults it had, and how to have them again.
 *
 * @param t the context of the test that calls it; calling it again for the same test gives the same.
 * @example
 * test("gives up on a peer that is gone", async (t) => {
 *   const scope = faults(t).scope({ connectionError: { kind: "refused" } });
 *   await assertFailsWith(scope.run(() => load()), "ECONNREFUSED", { injected: true });
 *   assertInjected(scope, "connection_error");
 * });
 */
export function faults(t: TestContext): TestFaults {
  const known = sessions.get(t);
  if (known !== undefined) return known;
  const session = new TestSession();
  sessions.set(t, session);
  t.after(() => {
    const { passed, filePath } = t as TestContext & Outcome;
    const command = `node --test --test-name-pattern=${titlePattern(t.name)} ${shownPath(filePath ?? process.argv[1] ?? "")}`;
    const note = passed === false ? failureNote(session, command) : undefined;
    session.end();
    // A line at a time: one diagnostic of several lines is no valid TAP.
    for (const line of note?.split("\n") ?? []) t.diagnostic(line);
  });
  return session;
}

/**
 * The fault scope has injected something, or this fault.
 *
 * @param fault as events name it: `"packet_loss"`. Default: any.
 * @param options `times`: exactly so often; `atLeast`: so often or more. Default: at least once.
 * @throws {AssertionError} with what the scope's report knows of the reason; {FaultcoreError} `ERR_FAULTCORE_INVALID_ARGUMENT` for what is
 * no scope, no fault or no count.
 * @example
 * assertInjected(scope, "connection_error", { times: 2 });
 */
export function assertInjected(scope: FaultScope, fault?: InjectedFault, options?: InjectedOptions): void {
  const { pass, message } = checkInjected("assertInjected()", scope, fault, options);
  if (!pass) throw new AssertionError({ message, stackStartFn: assertInjected });
}

/**
 * A promise, or a function that is called, fails with an error of this code, which may stand behind `cause` or among `errors` at any depth.
 *
 * @param code the error's `code`: `"ECONNRESET"`, `"UND_ERR_SOCKET"`, 14.
 * @param options `injected: true`: only where a fault raised the error; `false`: only where none did. Default: either.
 * @returns the error that has the code.
 * @throws {AssertionError} where nothing fails, or with something else; {FaultcoreError} `ERR_FAULTCORE_INVALID_ARGUMENT` for what is
 * neither a promise nor a function.
 * @example
 * await assertFailsWith(scope.run(() => fetch(url)), "ECONNREFUSED", { injected: true });
 */
export async function assertFailsWith(
  promiseOrFn: PromiseLike<unknown> | (() => unknown),
  code: string | number,
  options?: FailureOptions,
): Promise<unknown> {
  const { pass, message, error } = await checkFailure("assertFailsWith()", promiseOrFn, code, options);
  if (!pass) throw new AssertionError({ message, stackStartFn: assertFailsWith });
  return error;
}
