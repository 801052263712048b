/**
 * The fields that are read and checked, but whose engine does not exist in this release. Who adds an engine removes a line here.
 *
 * A policy that uses one of them can be registered (files of a later release load), and must be refused when it is applied: nothing may
 * claim a fault that does not happen.
 */
import type { PolicyOf, Read } from "./fields.ts";
import type { Path } from "./problems.ts";
import type { TargetRule } from "./types.ts";

type Policy = PolicyOf<Read>;

/** What counts as use of a field. */
const USES: readonly { readonly field: keyof Policy; readonly used?: (policy: Policy) => boolean }[] = [];

/** What a rule uses; `field` is the field of a mapping that says so. */
const RULE_USES: readonly { readonly field: string; readonly used: (rule: TargetRule) => boolean }[] = [];

/** The canonical paths of all fields that a policy uses and no engine serves. */
export function findNotImplemented(policy: Policy): Path[] {
  const fields: Path[] = USES.filter(({ field, used }) => policy[field] !== undefined && (used?.(policy) ?? true)).map(({ field }) => [
    field,
  ]);
  const rules = (policy.targets ?? []).flatMap((rule): Path[] =>
    RULE_USES.filter(({ used }) => used(rule)).map(({ field }) => ["targets", rule.index, field]),
  );
  return [...fields, ...rules];
}
