/** Which names a policy can have. */
import { FaultcoreError } from "../errors.ts";
import { describeValue } from "../internal/describe.ts";

const EXPECTED = 'a text that is not empty, not "auto", and does not start with "preset:" or "$"';

/**
 * Checks a name that is to be registered. What is allowed is kept exactly, surrounding space included.
 *
 * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_NAME` for anything but text, for white space only, and for the reserved names `auto`,
 * `preset:…` and `$…`.
 * @example
 * checkPolicyName("slow_link");
 */
export function checkPolicyName(name: unknown): asserts name is string {
  const problem = nameProblem(name);
  if (problem === undefined) return;
  const policy = typeof name === "string" ? name : undefined;
  throw new FaultcoreError("ERR_FAULTCORE_INVALID_NAME", `Invalid policy name: ${problem}; expected ${EXPECTED}`, {
    policy,
    expected: EXPECTED,
  });
}

function nameProblem(name: unknown): string | undefined {
  if (typeof name !== "string") return `got ${describeValue(name)}`;
  if (name.trim() === "") return "it is empty";
  if (name === "auto") return '"auto" stands for the policy of the current context';
  if (name.startsWith("preset:")) return `${describeValue(name)} is reserved for the policies that come with faultcore`;
  if (name.startsWith("$")) return `${describeValue(name)} is reserved for keys of policy files, such as $schema`;
  return undefined;
}
