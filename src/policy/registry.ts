/**
 * The policies of one thread, by name.
 *
 * Owns: the map, and how often each policy was applied. Never: module state; the composition root holds one registry per thread.
 * Invariant: what is in it is valid, and shares nothing with what its callers hold.
 */
import { compileParsed, hashName } from "./compile.ts";
import type { PolicyFields } from "./fields.ts";
import { readPolicyFile } from "./files.ts";
import { checkPolicyName } from "./names.ts";
import { parsePolicy } from "./parse.ts";
import { compiledPreset, presetFields } from "./presets.ts";
import type { CompiledPolicy } from "./types.ts";

interface Entry {
  /** What was registered, in its own spelling. */
  readonly source: PolicyFields;
  readonly compiled: CompiledPolicy;
}

/** A copy of a registry as plain data, which can cross to another thread. */
export interface RegistrySnapshot {
  readonly policies: readonly (readonly [name: string, fields: PolicyFields])[];
  /** Clocks of schedules that have started, by key. */
  readonly anchors: readonly (readonly [keyHash: bigint, anchorNs: number])[];
}

/** What `skip` and `times` count: connects, requests and datagram flows together, and lookups by themselves. */
export type UseKind = "flow" | "lookup";

/** The registry of one thread. */
export class PolicyRegistry {
  readonly #entries = new Map<string, Entry>();
  /** Applications so far, by key and then by seed. */
  readonly #applications = new Map<bigint, Map<bigint | undefined, number>>();
  /** Uses so far, by key, and then by kind and seed. */
  readonly #uses = new Map<bigint, Map<string, number>>();
  /** When each policy was first applied, by key: its schedule's clock. */
  readonly #anchors = new Map<bigint, number>();

  /**
   * Checks a policy and keeps a copy. A policy of the same name is replaced, and its applications count from the start again.
   *
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_NAME`, `ERR_FAULTCORE_INVALID_POLICY`; then nothing has changed.
   * @example
   * registry.register("slow", { latency: "50ms" });
   */
  register(name: string, fields: PolicyFields): void {
    this.#set(name, makeEntry(name, fields));
  }

  /** A copy of what was registered, as it was written, or of a preset; undefined where there is none. */
  get(name: string): PolicyFields | undefined {
    const entry = this.#entries.get(name);
    return entry === undefined ? presetFields(name) : structuredClone(entry.source);
  }

  /** The policy as the engine takes it. It is never changed: whoever holds it keeps it when the name gets another policy. */
  compiled(name: string): CompiledPolicy | undefined {
    return this.#entries.get(name)?.compiled ?? compiledPreset(name);
  }

  /** All names in the order of their UTF-16 code units, which no locale changes. */
  list(): string[] {
    return [...this.#entries.keys()].toSorted((a, b) => (a < b ? -1 : 1));
  }

  /** Removes a policy; false where there was none. */
  unregister(name: string): boolean {
    this.#forget(hashName(name));
    return this.#entries.delete(name);
  }

  /** Removes all policies and forgets all applications, also of inline policies. */
  clear(): void {
    this.#entries.clear();
    this.resetOrdinals();
  }

  /** Forgets all applications and keeps the policies. */
  resetOrdinals(): void {
    this.#applications.clear();
    this.#uses.clear();
    this.#anchors.clear();
  }

  /**
   * Registers all policies of a `.json`, `.yaml` or `.yml` file, or none.
   *
   * @returns how many.
   * @throws {FaultcoreError} `ERR_FAULTCORE_POLICY_FILE`; then nothing has changed.
   * @example
   * registry.load("policies.yaml");
   */
  load(path: string): number {
    const policies = readPolicyFile(path);
    for (const { name, parsed } of policies) this.#set(name, { source: parsed.source, compiled: compileParsed(parsed, name) });
    return policies.length;
  }

  /** A copy of all policies for a new thread. Their applications and uses count from zero there; the clocks of schedules go on. */
  snapshot(): RegistrySnapshot {
    return { policies: this.list().map((name) => [name, this.get(name)!]), anchors: [...this.#anchors] };
  }

  /**
   * Replaces everything with a snapshot.
   *
   * @throws {FaultcoreError} when the snapshot is not one; then nothing has changed.
   */
  restore(snapshot: RegistrySnapshot): void {
    const entries = snapshot.policies.map(([name, fields]) => [name, makeEntry(name, fields)] as const);
    this.clear();
    for (const [name, entry] of entries) this.#set(name, entry);
    for (const [keyHash, anchorNs] of snapshot.anchors) this.#anchors.set(keyHash, anchorNs);
  }

  /**
   * The ordinal of the next application of a policy, from 0: how many there were since it was registered, or for inline fields, since
   * they were first seen. Inline policies that differ in their seed only are counted apart.
   */
  nextOrdinal(policy: Pick<CompiledPolicy, "keyHash" | "seed">): number {
    const bySeed = this.#applications.get(policy.keyHash) ?? new Map<bigint | undefined, number>();
    const ordinal = bySeed.get(policy.seed) ?? 0;
    bySeed.set(policy.seed, ordinal + 1);
    this.#applications.set(policy.keyHash, bySeed);
    return ordinal;
  }

  /** The number of the next use of a policy, from 0: how many of this kind there were since it was registered or first seen. */
  nextUse(policy: Pick<CompiledPolicy, "keyHash" | "seed">, kind: UseKind): number {
    const uses = this.#uses.get(policy.keyHash) ?? new Map<string, number>();
    const key = `${kind} ${policy.seed ?? ""}`;
    const use = uses.get(key) ?? 0;
    uses.set(key, use + 1);
    this.#uses.set(policy.keyHash, uses);
    return use;
  }

  /** When the policy was first applied: now, if it was not yet. */
  anchorNs(policy: Pick<CompiledPolicy, "keyHash">, nowNs: number): number {
    const anchorNs = this.#anchors.get(policy.keyHash) ?? nowNs;
    this.#anchors.set(policy.keyHash, anchorNs);
    return anchorNs;
  }

  #set(name: string, entry: Entry): void {
    this.#forget(entry.compiled.keyHash);
    this.#entries.set(name, entry);
  }

  #forget(keyHash: bigint): void {
    this.#applications.delete(keyHash);
    this.#uses.delete(keyHash);
    this.#anchors.delete(keyHash);
  }
}

function makeEntry(name: string, fields: PolicyFields): Entry {
  checkPolicyName(name);
  const parsed = parsePolicy(fields, name);
  return { source: parsed.source, compiled: compileParsed(parsed, name) };
}
