/**
 * Every offset of the policy table, in 32-bit words.
 *
 * One `SharedArrayBuffer` for a tree of threads. Three regions follow each other: header, scope rows, flow rows; then the serialised policy of the
 * process-wide activation. Memory that is never touched is never committed, so the full size costs only address space.
 */

export const TABLE_MAGIC = 0x66635435; // "fcT5": changes with the layout, so that two versions of faultcore never share a table

/** Scopes that can be open at once. */
export const MAX_SCOPES = 4096;
/** Flows that can be open at once. */
export const MAX_FLOWS = 65_536;
/** Relay threads that are remembered, so that a thread can tell its rank among the program's own threads. */
export const MAX_RELAYS = 1024;

/** Header. */
export const H = {
  magic: 0,
  /** Token of the thread that holds the writer lock; 0 = free. */
  lockOwner: 1,
  /** Counts acquisitions, so that a waiter can tell a stuck owner from a busy lock. */
  lockTicket: 2,
  scopeFree: 3,
  scopeUsed: 4,
  scopesLive: 5,
  flowFree: 6,
  flowUsed: 7,
  flowsLive: 8,
  /** Scope reference of the process-wide activation; 0 = none. */
  activation: 9,
  nextPolicyId: 10,
  /** Seqlock of the activation's body and its length in bytes. */
  activationGeneration: 11,
  activationLength: 12,
  relayCount: 13,
  relays: 16,
  words: 1040, // 16 + MAX_RELAYS
} as const;

/** Scope row. A reference to a scope is its index and its epoch (generation / 2): see `scopeRef`. */
export const S = {
  /** Seqlock: odd while the row is written. It moves on when the scope ends, which makes every reference to it stale. */
  generation: 0,
  state: 1,
  policyId: 2,
  ordinal: 3,
  seedLow: 4,
  seedHigh: 5,
  nextFree: 6,
  /** Counters, added to by the relays. */
  flows: 7,
  injected: 8,
  /** Float64: when the clock of the policy's schedule started, on the common clock. */
  anchor: 10,
  /** `MEASURES` slots of `M`: lateness, then one for each number that a fault may have. */
  measures: 16,
  /** `MEASURES` counters: decisions by the number of their cause. */
  decisions: 80, // 16 + MEASURES * M.words
  words: 96, // 80 + MEASURES
} as const;

export const MEASURES = 16;
/** What was measured: how often, the total in ns (two words, added to with a carry) and the maximum in µs. */
export const M = { count: 0, totalLow: 1, totalHigh: 2, maxUs: 3, words: 4 } as const;

export const SCOPE_FREE = 0;
export const SCOPE_LIVE = 1;
/** Ended, but a relay may still count events of packets that were decided before. */
export const SCOPE_ENDED = 2;

/** Flow row. */
export const F = {
  generation: 0,
  state: 1,
  /** Bindings published so far; entry n stands in slot n % RING_SLOTS until `bindingsRead` has passed it. */
  bindings: 2,
  bindingsRead: 3,
  nextFree: 4,
  flags: 5,
  /** Error (negative errno) that the next reset of the program's leg stands for; 0 = the reset is a reset. */
  errno: 6,
  /** Counts the writes that arm the receive timeout. */
  armCount: 7,
  /** Float64: uplink offset of the latest write that arms the receive timeout. */
  armOffset: 8,
  /** Float64: uplink offset at which TLS was put on top of the flow; negative: it was not. */
  upgradeOffset: 10,
  ring: 16,
  words: 48, // 16 + RING_SLOTS * R.words
} as const;

export const RING_SLOTS = 4;
/** One ring entry. */
export const R = { sequence: 0, scope: 1, offset: 2, hashLow: 4, hashHigh: 5, ordinal: 6, words: 8 } as const;

/** The relay ended the program's leg because the peer really ended: an EOF without this is a relay that died. */
export const FLAG_GENUINE_FIN = 1;
/** The stored error was raised by a fault. */
export const FLAG_INJECTED = 2;
/** The program reads plaintext of TLS: bytes that come back need not be an answer (handshake, session tickets). */
export const FLAG_TLS = 4;
/** The relay reset the program's leg, or is about to. */
export const FLAG_RESET = 8;

export const ACTIVATION_BODY_BYTES = 262_144;

export const SCOPES_AT: number = H.words;
export const FLOWS_AT: number = SCOPES_AT + MAX_SCOPES * S.words;
export const ACTIVATION_AT: number = FLOWS_AT + MAX_FLOWS * F.words;
export const TABLE_BYTES: number = ACTIVATION_AT * 4 + ACTIVATION_BODY_BYTES;

const INDEX_BITS = 12;
const EPOCH_MASK = 0xfffff;

/** A scope reference: 12 bits of index, 20 bits of epoch. Zero is never a reference. */
export function scopeRef(index: number, generation: number): number {
  return (((generation >>> 1) & EPOCH_MASK) << INDEX_BITS) | index;
}

export function scopeIndex(ref: number): number {
  return ref & ((1 << INDEX_BITS) - 1);
}

export function sameEpoch(ref: number, generation: number): boolean {
  return (generation & 1) === 0 && ((generation >>> 1) & EPOCH_MASK) === ref >>> INDEX_BITS;
}

/** Whether the row still is that of the reference, live or ended: no other scope has it yet. */
export function sameRow(ref: number, generation: number): boolean {
  return ((((generation >>> 1) & EPOCH_MASK) - (ref >>> INDEX_BITS)) & EPOCH_MASK) <= 1;
}

/** Whether the generation could make the reference 0, which means "no scope": such a generation is skipped. */
export function isNullEpoch(generation: number): boolean {
  return ((generation >>> 1) & EPOCH_MASK) === 0;
}
