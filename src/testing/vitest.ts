/**
 * `faultcore/vitest`: vitest's `test` with a fixture for faults, and its `expect` with matchers for them.
 *
 * Owns: the moment when a test begins and ends, and the place of the note when it fails. Importing it extends `expect`.
 */
import { expect, test as base } from "vitest";
import type { TestAPI } from "vitest";
import { failureNote, shownPath, titlePattern } from "./failure-note.ts";
import { matchers } from "./matchers.ts";
import type { FaultMatchers } from "./matchers.ts";
import { TestSession } from "./session.ts";
import type { TestFaults } from "./session.ts";

export type { FailureOptions } from "./failure.ts";
export type { InjectedFault } from "./fault-names.ts";
export type { InjectedOptions } from "./injected.ts";
export type { FaultMatchers } from "./matchers.ts";
export type { TestFaults } from "./session.ts";

declare module "vitest" {
  // oxlint-disable-next-line typescript/no-explicit-any -- the default that vitest declares; two declarations must agree
  interface Matchers<T = any> extends FaultMatchers {}
}

expect.extend(matchers);

/** The part of a test's context that is used here: the same in vitest 3 and 4. */
interface Context {
  readonly task: Task;
  readonly onTestFailed: (listener: () => void) => void;
}

interface Task {
  readonly name: string;
  readonly file: { readonly filepath: string };
  readonly suite?: Suite | undefined;
  readonly result?: { readonly errors?: readonly { message: string }[] | undefined } | undefined;
}

interface Suite {
  readonly name: string;
  readonly suite?: Suite | undefined;
}

/**
 * vitest's `test`, with `faults` in its context. After each test made with it, its scopes have ended, and policies are what they were
 * before the test. A test that fails says which faults it had, and how to have them again.
 *
 * @example
 * import { expect, test } from "faultcore/vitest";
 *
 * test("gives up on a peer that is gone", async ({ faults }) => {
 *   const scope = faults.scope({ connectionError: { kind: "refused" } });
 *   await expect(scope.run(() => load())).toFailWith("ECONNREFUSED", { injected: true });
 *   expect(scope).toHaveInjected("connection_error");
 * });
 */
export const test: TestAPI<{ faults: TestFaults }> = base.extend<{ faults: TestFaults }>({
  faults: [
    async ({ task, onTestFailed }: Context, use: (faults: TestFaults) => Promise<void>): Promise<void> => {
      const session = new TestSession();
      onTestFailed(() => addNote(task, session));
      try {
        await use(session);
      } finally {
        session.end();
      }
    },
    { auto: true },
  ],
});

export { expect };

/** The errors of a result are vitest's own copies, which every reporter shows: the note stands with the last one. */
function addNote(task: Task, session: TestSession): void {
  const error = task.result?.errors?.at(-1);
  if (error === undefined) return;
  const note = failureNote(session, `npx vitest run ${shownPath(task.file.filepath)} -t ${titlePattern(fullName(task))}`);
  if (note !== undefined) error.message += `\n\n${note}\n`;
}

function fullName(task: Task): string {
  const names = [task.name];
  for (let { suite } = task; suite !== undefined; suite = suite.suite) names.unshift(suite.name);
  return names.join(" ");
}
