/**
 * The lives of Jest's tests, as its runner tells them.
 *
 * Owns: the session of the running test. Jest gives a setup file no word about a test's failure; the events of its runner, jest-circus,
 * do. Those who listen stand in an array of the test file's global object since Jest 30.
 */
import { FaultcoreError } from "../errors.ts";
import { reset } from "../index.ts";
import type { FaultScope, PolicyFields, ScopeOptions } from "../index.ts";
import { failureNote, shownPath, titlePattern } from "./failure-note.ts";
import { matchers } from "./matchers.ts";
import { TestSession } from "./session.ts";
import type { TestFaults } from "./session.ts";

/** The part of Jest's `expect` that is used here. */
export interface JestExpect {
  extend(extension: typeof matchers): void;
  getState(): { readonly testPath?: string };
}

interface Block {
  readonly name: string;
  readonly parent?: Block | undefined;
}

interface CircusTest extends Block {
  readonly errors: unknown[];
}

interface CircusEvent {
  readonly name: string;
  readonly test?: CircusTest;
}

const kHandlers = Symbol.for("EVENT_HANDLERS");

/**
 * Extends `expect`, follows the tests of a file, and gives the faults of whichever runs.
 *
 * @param scope the global object of the test file.
 */
export function followTests(scope: object, expect: JestExpect): TestFaults {
  const handlers = (scope as { [kHandlers]?: ((event: CircusEvent) => void)[] })[kHandlers];
  if (!Array.isArray(handlers)) {
    throw new FaultcoreError(
      "ERR_FAULTCORE_INVALID_USE",
      "faultcore/jest follows the tests of Jest 30 or later and its runner jest-circus, and this is another one.",
      { expected: "a test file or a setup file of `setupFilesAfterEnv`, run by Jest 30" },
    );
  }
  expect.extend(matchers);
  let session: TestSession | undefined;
  // In front of Jest's own, which turn errors into text when a test is done.
  handlers.unshift(({ name, test }) => {
    if (name === "test_started") session = new TestSession();
    else if (name === "run_finish") reset();
    else if (name === "test_done" && session !== undefined && test !== undefined) {
      if (test.errors.length > 0) addNote(test, session, expect.getState().testPath ?? "");
      session.end();
      session = undefined;
    }
  });
  const running = (): TestSession => {
    if (session !== undefined) return session;
    throw new FaultcoreError("ERR_FAULTCORE_INVALID_USE", "`faults` of faultcore/jest belongs to the test that runs, and none does.", {
      expected: "a call in a test, or in its beforeEach or afterEach; elsewhere, the functions of faultcore itself",
    });
  };
  return {
    scope: (...args: Parameters<TestFaults["scope"]>): FaultScope => running().scope(...args),
    run: <R>(nameOrFields: string | PolicyFields, fn: () => R, options?: ScopeOptions): R => running().run(nameOrFields, fn, options),
    registerPolicy: (...args: Parameters<TestFaults["registerPolicy"]>): void => running().registerPolicy(...args),
  };
}

/** The errors are the program's own and stay as they are: the note is an entry behind them, with no stack to show. */
function addNote(test: CircusTest, session: TestSession, path: string): void {
  const note = failureNote(session, `npx jest ${shownPath(path)} -t ${titlePattern(fullName(test))}`);
  if (note === undefined) return;
  const entry = new Error(note);
  entry.stack = note;
  test.errors.push([entry, undefined]);
}

/** Without the outermost block, which is the file's and has a name of Jest's own. */
function fullName(test: CircusTest): string {
  const names: string[] = [];
  for (let block: Block = test; block.parent !== undefined; block = block.parent) names.unshift(block.name);
  return names.join(" ");
}
