/** A policy after parsing: numbers with units in their names, ready for the engine. Plain data: it crosses threads as it is. */
import type { FlowFaults } from "../engine/types.ts";

export type RuleProtocol = "any" | "tcp" | "udp";

/** One compiled target rule. Exactly one of the selectors is set: `cidr` (a host is a /32 or /128), `hostname` or `sni`. */
export interface TargetRule {
  /** Index in the policy's `targets`. */
  readonly index: number;
  readonly exclude: boolean;
  readonly priority: number;
  readonly protocol: RuleProtocol;
  /** Inclusive port ranges; undefined = any port. */
  readonly ports: readonly (readonly [number, number])[] | undefined;
  /** Network in 16 bytes (IPv4 as IPv4-mapped) and the prefix length over these 128 bits. */
  readonly cidr?: { readonly bytes: readonly number[]; readonly prefix: number } | undefined;
  /** Lower case, IDNA-encoded, without the leading `*.`; `wildcard` says that there was one. */
  readonly hostname?: string | undefined;
  readonly sni?: string | undefined;
  readonly wildcard: boolean;
}

/** What is known of a flow when its rules are judged. */
export interface TargetSubject {
  readonly protocol: "tcp" | "udp";
  /** Numeric address without zone, IPv4, IPv6 or IPv4-mapped. */
  readonly address: string;
  readonly port: number;
  /** The name that the program asked for, or one that was looked up; any case. */
  readonly hostname?: string | undefined;
  readonly sni?: string | undefined;
}

export interface TargetDecision {
  /** Whether the policy governs the flow. */
  readonly governs: boolean;
  /** Index of the deciding rule; -1 where none matched, or the policy has no targets. */
  readonly rule: number;
}

export interface CompiledPolicy {
  /** Registered name, `preset:…`, or `inline:` and eight hex digits of the canonical fields' hash. */
  readonly name: string;
  /** 64-bit hash of the name (registered) or of the canonical fields (inline): part of every flow key. */
  readonly keyHash: bigint;
  readonly seed: bigint | undefined;
  readonly faults: FlowFaults;
  readonly targets: readonly TargetRule[] | undefined;
  /** The policy governs uses number skip+1 to skip+times, counted since it was registered; `times` is `Infinity` where all are. */
  readonly skip: number;
  readonly times: number;
}
