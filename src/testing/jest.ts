/**
 * `faultcore/jest`: faults in tests of Jest. Importing it, best from `setupFilesAfterEnv`, extends `expect` and follows the tests.
 *
 * The work is done in `jest.cjs`, which Jest's own `require` loads: so a setup file, which is loaded as CommonJS, and an ES module share it.
 */
import { createRequire } from "node:module";
import type { FaultMatchers } from "./matchers.ts";
import type { TestFaults } from "./session.ts";

export type { FailureOptions } from "./failure.ts";
export type { InjectedFault } from "./fault-names.ts";
export type { InjectedOptions } from "./injected.ts";
export type { FaultMatchers } from "./matchers.ts";
export type { TestFaults } from "./session.ts";
// Whoever adds to a module must have it in sight, in the declarations too.
export type { Matchers as JestMatchers } from "expect";

declare module "expect" {
  interface Matchers<R extends void | Promise<void>, T = unknown> extends FaultMatchers<R> {}
}

declare global {
  // The types of @types/jest.
  namespace jest {
    interface Matchers<R, T = {}> extends FaultMatchers<R> {}
  }
}

const shared = createRequire(import.meta.url)("./jest.cjs") as { readonly faults: TestFaults };

/**
 * The faults of the test that runs. After each test, its scopes have ended, and policies are what they were before the test. A test
 * that fails says which faults it had, and how to have them again.
 *
 * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_USE` on use while no test runs.
 * @example
 * import { faults } from "faultcore/jest";
 *
 * test("gives up on a peer that is gone", async () => {
 *   const scope = faults.scope({ connectionError: { kind: "refused" } });
 *   await expect(scope.run(() => load())).toFailWith("ECONNREFUSED", { injected: true });
 *   expect(scope).toHaveInjected("connection_error");
 * });
 */
export const faults: TestFaults = shared.faults;
