/** Putting the fields of an effect over those of the scope around it. */
import type { PolicyFields } from "../policy/fields.ts";
import { toCamel } from "../policy/spelling.ts";

type Mapping = Record<string, unknown>;

/** Fields of these are laid over each other one by one; any other field is replaced as a whole. */
const PER_KEY: ReadonlySet<string> = new Set(["uplink", "downlink", "timeout", "dns"]);

/** A copy of valid fields in camelCase, at any depth, without those that are undefined. */
export function canonicalFields(fields: PolicyFields): PolicyFields {
  return canonical(fields) as PolicyFields;
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical);
  if (typeof value !== "object" || value === null) return value;
  const given = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(given.map(([key, member]) => [toCamel(key), canonical(member)]));
}

/**
 * `over` wins where both have a field; both are canonical.
 *
 * @example
 * mergeFields({ latency: "50ms", timeout: { connect: "1s" } }, { timeout: { recv: "2s" } });
 * // { latency: "50ms", timeout: { connect: "1s", recv: "2s" } }
 */
export function mergeFields(under: PolicyFields, over: PolicyFields): PolicyFields {
  const merged: Mapping = { ...under };
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key];
    merged[key] = PER_KEY.has(key) && typeof below === "object" ? { ...below, ...(value as Mapping) } : value;
  }
  return merged;
}
