/**
 * From a valid policy to what the engine takes: directions overlaid, defaults filled in, a key for randomness.
 *
 * Owns: the defaults and the key. Never: validation (`parse.ts`).
 */
import type { DirectionFaults, FlowFaults } from "../engine/types.ts";
import {
  CERTAIN_PPM,
  compileBudget,
  compileDns,
  compileDuplicate,
  compileHalfOpen,
  compileMutation,
  compileReorder,
  compileSchedule,
} from "./compile-groups.ts";
import { fnv1a64 } from "../internal/hash.ts";
import type { DirectionOf, PolicyFields, PolicyOf, Read } from "./fields.ts";
import { parsePolicy, type ParsedPolicy } from "./parse.ts";
import type { CompiledPolicy } from "./types.ts";

/**
 * Checks and compiles a policy.
 *
 * @param fields as a user writes them.
 * @param name the registered name or `preset:…`; undefined for inline fields, which are named `inline:` and eight hex digits.
 * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_POLICY`.
 * @example
 * compilePolicy({ latency: "50ms" }, "slow").faults.uplink.latencyNs; // 50_000_000
 */
export function compilePolicy(fields: PolicyFields, name: string | undefined): CompiledPolicy {
  return compileParsed(parsePolicy(fields, name), name);
}

/** Compiles a policy that was read already. */
export function compileParsed(parsed: ParsedPolicy, name: string | undefined): CompiledPolicy {
  const { fields } = parsed;
  const keyHash = name === undefined ? hashInline(fields) : hashName(name);
  return {
    name: name ?? `inline:${keyHash.toString(16).padStart(16, "0").slice(0, 8)}`,
    keyHash,
    seed: fields.seed,
    faults: compileFaults(fields),
    targets: fields.targets,
    skip: fields.skip ?? 0,
    times: fields.times ?? Infinity,
  };
}

/** The key of a named policy: it depends on the name only, so that a policy can be tuned without other draws. */
export function hashName(name: string): bigint {
  return fnv1a64(`policy:${name}`);
}

/**
 * The key of inline fields: 64-bit FNV-1a of their canonical text, in which keys are camelCase and sorted and values are numbers. So
 * spelling, units and the order of keys change nothing. The seed is not part of it: it is an input of the draws by itself.
 */
function hashInline(fields: PolicyOf<Read>): bigint {
  const { seed: _, ...others } = fields;
  return fnv1a64(`inline:${canonicalText(others)}`);
}

/** JSON with sorted keys, in which infinities and bigints are texts and fields that are undefined are absent. */
function canonicalText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(",")}]`;
  if (typeof value === "bigint" || value === Infinity) return `"${value}"`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value)
    .filter(([, member]) => member !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, member]) => `${JSON.stringify(key)}:${canonicalText(member)}`);
  return `{${members.join(",")}}`;
}

function compileFaults(fields: PolicyOf<Read>): FlowFaults {
  const { timeout, connectionError } = fields;
  return {
    uplink: compileDirection(fields, fields.uplink),
    downlink: compileDirection(fields, fields.downlink),
    timeout: { connectNs: timeout?.connect, recvNs: timeout?.recv },
    connectionError: connectionError && { kind: connectionError.kind, ppm: connectionError.prob ?? CERTAIN_PPM },
    halfOpen: compileHalfOpen(fields.halfOpen),
    dns: compileDns(fields.dns),
    sessionBudget: compileBudget(fields.sessionBudget),
    mutation: compileMutation(fields.payloadMutation),
    schedule: compileSchedule(fields.schedule),
    rateShare: fields.rateShare ?? "flow",
  };
}

/** What a direction says wins, including zero; what it does not say is as for both. */
function compileDirection(both: PolicyOf<Read>, own: DirectionOf<Read> = {}): DirectionFaults {
  // Correlated loss takes the place of the general packet loss, and a direction's own packet loss that of both.
  const correlatedLoss = own.packetLoss === undefined ? both.correlatedLoss : undefined;
  const lossPpm = correlatedLoss === undefined ? (own.packetLoss ?? both.packetLoss ?? 0) : 0;
  const lossy = correlatedLoss !== undefined || lossPpm > 0;
  return {
    latencyNs: own.latency ?? both.latency ?? 0,
    jitterNs: own.jitter ?? both.jitter ?? 0,
    lossPpm,
    burst: own.burstLoss ?? both.burstLoss ?? 1,
    rateBps: own.rate ?? both.rate ?? Infinity,
    correlatedLoss: correlatedLoss && {
      goodToBadPpm: correlatedLoss.pGoodToBad,
      badToGoodPpm: correlatedLoss.pBadToGood,
      lossGoodPpm: correlatedLoss.lossGood,
      lossBadPpm: correlatedLoss.lossBad,
    },
    congestion: both.congestion ?? (lossy ? "cubic" : "none"),
    duplicate: compileDuplicate(both.packetDuplicate),
    reorder: compileReorder(both.packetReorder),
  };
}
