/**
 * `skip` and `times`: whether a policy governs a use. A use is a connect, a request on a connection that is open, or a datagram flow's
 * first datagram (they count together); or a lookup (these count by themselves, since most connects begin with one).
 */
import type { PolicyRegistry, UseKind } from "../policy/registry.ts";
import type { CompiledPolicy } from "../policy/types.ts";
import type { ScopeRecord } from "../scope/record.ts";

/** Whether the policy counts its uses at all. */
export function isLimited(policy: CompiledPolicy): boolean {
  return policy.skip > 0 || policy.times < Infinity;
}

/** Counts a use and says whether the policy governs it. What it does not govern passes as if the scope were not there. */
export function takeUse(registry: PolicyRegistry, record: ScopeRecord, kind: UseKind): boolean {
  const { policy } = record;
  if (!isLimited(policy)) return true;
  const use = registry.nextUse(policy, kind);
  const governed = use >= policy.skip && use < policy.skip + policy.times;
  if (!governed) record.skipped++;
  return governed;
}
