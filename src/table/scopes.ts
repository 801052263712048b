/** Scope rows: opened and ended by the thread that applies a policy, read by every relay of the process. */
import { FaultcoreError } from "../errors.ts";
import {
  ACTIVATION_BODY_BYTES,
  H,
  MEASURES,
  S,
  SCOPE_ENDED,
  SCOPE_FREE,
  SCOPE_LIVE,
  isNullEpoch,
  sameEpoch,
  sameRow,
  scopeIndex,
  scopeRef,
} from "./layout.ts";
import type { PolicyTable } from "./table.ts";

export interface ScopeRow {
  readonly policyId: number;
  readonly ordinal: number;
  readonly seed: bigint;
  /** When the clock of the policy's schedule started, on the common clock. */
  readonly anchorNs: number;
}

export interface ScopeCounters {
  readonly flows: number;
  readonly injected: number;
  /** Decisions by the number of their cause. */
  readonly decisions: ReadonlyMap<number, number>;
}

/** Opens a scope and returns its reference, which never names another scope later. */
export function openScope(table: PolicyTable, row: ScopeRow): number {
  return table.locked(() => {
    const index = table.takeScope();
    const at = table.scopeAt(index);
    const { words } = table;
    let odd = Atomics.load(words, at + S.generation) + 1;
    if (isNullEpoch(odd + 1)) odd += 2;
    Atomics.store(words, at + S.generation, odd);
    Atomics.store(words, at + S.state, SCOPE_LIVE);
    Atomics.store(words, at + S.policyId, row.policyId);
    Atomics.store(words, at + S.ordinal, row.ordinal);
    Atomics.store(words, at + S.seedLow, Number(row.seed & 0xffffffffn) | 0);
    Atomics.store(words, at + S.seedHigh, Number((row.seed >> 32n) & 0xffffffffn) | 0);
    table.floats[(at + S.anchor) >> 1] = row.anchorNs;
    Atomics.store(words, at + S.flows, 0);
    Atomics.store(words, at + S.injected, 0);
    words.fill(0, at + S.measures, at + S.words);
    Atomics.store(words, at + S.generation, odd + 1);
    Atomics.add(words, H.scopesLive, 1);
    return scopeRef(index, odd + 1);
  });
}

/** Ends a scope: every reference to it is stale from now on. Its counters stay readable until `freeScope`. Safe to repeat. */
export function endScope(table: PolicyTable, ref: number): boolean {
  return table.locked(() => {
    const { words } = table;
    const at = table.scopeAt(scopeIndex(ref));
    const generation = Atomics.load(words, at + S.generation);
    if (!sameEpoch(ref, generation)) return false;
    Atomics.store(words, at + S.generation, generation + 1);
    Atomics.store(words, at + S.state, SCOPE_ENDED);
    Atomics.store(words, at + S.generation, generation + 2);
    Atomics.sub(words, H.scopesLive, 1);
    if (Atomics.load(words, H.activation) === ref) Atomics.store(words, H.activation, 0);
    return true;
  });
}

/** Gives the row of an ended scope back. */
export function freeScope(table: PolicyTable, ref: number): void {
  table.locked(() => {
    const index = scopeIndex(ref);
    const at = table.scopeAt(index);
    if (Atomics.load(table.words, at + S.state) !== SCOPE_ENDED) return;
    Atomics.store(table.words, at + S.state, SCOPE_FREE);
    table.giveScope(index);
  });
}

export function isLive(table: PolicyTable, ref: number): boolean {
  return ref !== 0 && sameEpoch(ref, Atomics.load(table.words, table.scopeAt(scopeIndex(ref)) + S.generation));
}

/** The row of a live scope, whole; undefined when the scope has ended. */
export function readScope(table: PolicyTable, ref: number): ScopeRow | undefined {
  if (ref === 0) return undefined;
  const { words } = table;
  const at = table.scopeAt(scopeIndex(ref));
  for (;;) {
    const before = Atomics.load(words, at + S.generation);
    // Rows never change while they live. So an odd generation is this scope ending, or a later one being written: stale either way.
    if (!sameEpoch(ref, before)) return undefined;
    const policyId = Atomics.load(words, at + S.policyId);
    const ordinal = Atomics.load(words, at + S.ordinal);
    const low = Atomics.load(words, at + S.seedLow) >>> 0;
    const high = Atomics.load(words, at + S.seedHigh) >>> 0;
    const anchorNs = table.floats[(at + S.anchor) >> 1]!;
    if (Atomics.load(words, at + S.generation) === before) {
      return { policyId, ordinal, seed: (BigInt(high) << 32n) | BigInt(low), anchorNs };
    }
  }
}

/** Counts a flow of a scope. */
export function countFlow(table: PolicyTable, ref: number): void {
  Atomics.add(table.words, table.scopeAt(scopeIndex(ref)) + S.flows, 1);
}

/**
 * Counts a decision, by the number of its cause. The scope may have ended already: what was decided before its end still counts, for as long as
 * it has its row.
 */
export function countDecision(table: PolicyTable, ref: number, cause: number, injected: boolean): void {
  const at = table.scopeAt(scopeIndex(ref));
  if (!sameRow(ref, Atomics.load(table.words, at + S.generation))) return;
  Atomics.add(table.words, at + S.decisions + cause, 1);
  if (injected) Atomics.add(table.words, at + S.injected, 1);
}

export function scopeCounters(table: PolicyTable, ref: number): ScopeCounters {
  const at = table.scopeAt(scopeIndex(ref));
  const read = (word: number): number => Atomics.load(table.words, at + word) >>> 0;
  const decisions = new Map<number, number>();
  for (let cause = 0; cause < MEASURES; cause++) {
    const count = read(S.decisions + cause);
    if (count > 0) decisions.set(cause, count);
  }
  return { flows: read(S.flows), injected: read(S.injected), decisions };
}

/** Makes a scope the process-wide activation (0: none). `bytes` is the serialised policy, for threads that have not seen it. */
export function setActivation(table: PolicyTable, ref: number, bytes: Uint8Array): void {
  if (bytes.length > ACTIVATION_BODY_BYTES) {
    throw new FaultcoreError(
      "ERR_FAULTCORE_INVALID_ARGUMENT",
      `This policy takes ${bytes.length} bytes, more than a process-wide activation can hold. Use fewer targets.`,
      { expected: `at most ${ACTIVATION_BODY_BYTES} bytes` },
    );
  }
  table.locked(() => {
    const { words } = table;
    Atomics.add(words, H.activationGeneration, 1);
    table.activationBody.set(bytes);
    Atomics.store(words, H.activationLength, bytes.length);
    Atomics.store(words, H.activation, ref);
    Atomics.add(words, H.activationGeneration, 1);
  });
}

/**
 * Whether there is one. Read like an ordinary number, without the order that `Atomics` keeps between threads: V8 makes that a call, and every
 * write of the process asks. What another thread has stored is seen by the next read anyway.
 */
export function hasActivation(table: PolicyTable): boolean {
  return table.words[H.activation] !== 0;
}

export function activationRef(table: PolicyTable): number {
  return Atomics.load(table.words, H.activation);
}

/** The activation and its policy's body, as they belong together. */
export function readActivation(table: PolicyTable): { ref: number; body: Uint8Array } | undefined {
  const { words } = table;
  // A writer takes microseconds; one that died inside is repaired by the next writer, and until then there is no activation.
  for (let tries = 0; tries < 100_000; tries++) {
    const before = Atomics.load(words, H.activationGeneration);
    if ((before & 1) === 1) continue;
    const ref = Atomics.load(words, H.activation);
    const bytes = table.activationBody.slice(0, Atomics.load(words, H.activationLength));
    if (Atomics.load(words, H.activationGeneration) === before) {
      return ref === 0 ? undefined : { ref, body: bytes };
    }
  }
  return undefined;
}
