/** The matchers, in the form that vitest's and Jest's `expect.extend` both take. */
import { checkFailure } from "./failure.ts";
import type { FailureOptions } from "./failure.ts";
import type { InjectedFault } from "./fault-names.ts";
import { checkInjected } from "./injected.ts";
import type { InjectedOptions } from "./injected.ts";

export interface MatcherResult {
  readonly pass: boolean;
  readonly message: () => string;
}

/** The matchers as a test calls them. `R` is what the runner's synchronous matchers give. */
export interface FaultMatchers<R = void> {
  /**
   * The fault scope has injected something, or this fault. If not, the message says why, as far as the scope's report tells.
   *
   * @param fault as events name it: `"packet_loss"`. Default: any.
   * @param options `times`: exactly so often; `atLeast`: so often or more. Default: at least once.
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_ARGUMENT` for what is no scope, no fault or no count.
   * @example
   * expect(scope).toHaveInjected("connection_error", { times: 2 });
   */
  toHaveInjected(fault?: InjectedFault, options?: InjectedOptions): R;
  /**
   * A promise, or a function that is called, fails with an error of this code, which may stand behind `cause` or among `errors` at any
   * depth. To be awaited.
   *
   * @param code the error's `code`: `"ECONNRESET"`, `"UND_ERR_SOCKET"`, 14.
   * @param options `injected: true`: only where a fault raised the error; `false`: only where none did. Default: either.
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_ARGUMENT` for what is neither a promise nor a function.
   * @example
   * await expect(scope.run(() => fetch(url))).toFailWith("ECONNREFUSED", { injected: true });
   */
  toFailWith(code: string | number, options?: FailureOptions): Promise<void>;
}

/** The matchers as a runner calls them. */
export const matchers = {
  toHaveInjected(received: unknown, fault?: InjectedFault, options?: InjectedOptions): MatcherResult {
    const { pass, message } = checkInjected("toHaveInjected()", received, fault, options);
    return { pass, message: () => message };
  },
  async toFailWith(received: unknown, code: string | number, options?: FailureOptions): Promise<MatcherResult> {
    const { pass, message } = await checkFailure("toFailWith()", received, code, options);
    return { pass, message: () => message };
  },
};
