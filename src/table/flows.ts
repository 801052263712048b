/**
 * Flow rows: what a steered flow's two sides must know of each other without a message.
 *
 * The program's side publishes bindings (from this uplink byte on, that scope) before the bytes leave; the relay reads them when bytes
 * arrive. The relay publishes how the flow ended before it closes the program's leg.
 */
import { F, FLAG_GENUINE_FIN, FLAG_INJECTED, FLAG_RESET, FLAG_TLS, H, R, RING_SLOTS } from "./layout.ts";
import type { PolicyTable } from "./table.ts";

const FLOW_FREE = 0;
const FLOW_USED = 1;

/** From uplink byte `offset` on, the flow belongs to `scope` (0: to none). */
export interface Binding {
  /** Number of the binding within its flow, from 0. */
  readonly sequence: number;
  readonly scope: number;
  readonly offset: number;
  /** Hash of the flow key within that scope: all that its draws depend on besides the seed. */
  readonly flowHash: bigint;
  /** Ordinal of the flow among those of the scope to the same target. */
  readonly ordinal: number;
}

/** Takes a row; throws `ERR_FAULTCORE_TABLE_FULL` where there is none. */
export function openFlow(table: PolicyTable): number {
  return table.locked(() => {
    const index = table.takeFlow();
    const at = table.flowAt(index);
    const { words } = table;
    Atomics.add(words, at + F.generation, 1);
    for (const word of [F.bindings, F.bindingsRead, F.flags, F.errno, F.armCount]) Atomics.store(words, at + word, 0);
    table.floats[(at + F.upgradeOffset) >> 1] = -1;
    Atomics.store(words, at + F.state, FLOW_USED);
    Atomics.add(words, at + F.generation, 1);
    Atomics.add(words, H.flowsLive, 1);
    return index;
  });
}

export function freeFlow(table: PolicyTable, index: number): void {
  table.locked(() => {
    const at = table.flowAt(index);
    if (Atomics.load(table.words, at + F.state) !== FLOW_USED) return;
    Atomics.add(table.words, at + F.generation, 1);
    Atomics.store(table.words, at + F.state, FLOW_FREE);
    Atomics.add(table.words, at + F.generation, 1);
    table.giveFlow(index);
    Atomics.sub(table.words, H.flowsLive, 1);
  });
}

/**
 * Publishes a binding. Returns false when the ring has no room, because the relay has not read the flow's bytes yet: then the
 * caller must send the binding as a message first; it counts as published, and the relay drains its port when the slot is not it.
 */
export function publishBinding(table: PolicyTable, index: number, binding: Binding): boolean {
  const { words } = table;
  const at = table.flowAt(index);
  const fits = binding.sequence - Atomics.load(words, at + F.bindingsRead) < RING_SLOTS;
  if (fits) {
    const slot = at + F.ring + (binding.sequence % RING_SLOTS) * R.words;
    words[slot + R.sequence] = binding.sequence;
    words[slot + R.scope] = binding.scope | 0;
    table.floats[(slot + R.offset) >> 1] = binding.offset;
    words[slot + R.hashLow] = Number(binding.flowHash & 0xffffffffn) | 0;
    words[slot + R.hashHigh] = Number(binding.flowHash >> 32n) | 0;
    words[slot + R.ordinal] = binding.ordinal;
  }
  // The atomic store orders everything above before it: a relay that sees the count sees the entry.
  if (fits) Atomics.store(words, at + F.bindings, binding.sequence + 1);
  return fits;
}

/** Counts a binding that went by message. Call after the message was sent. */
export function publishSpilledBinding(table: PolicyTable, index: number, sequence: number): void {
  Atomics.store(table.words, table.flowAt(index) + F.bindings, sequence + 1);
}

/** How many bindings of the flow have been published. */
export function bindingCount(table: PolicyTable, index: number): number {
  return Atomics.load(table.words, table.flowAt(index) + F.bindings);
}

/** Reads binding `sequence`; undefined when it did not fit into the ring and travels by message. Call only below `bindingCount`. */
export function takeBinding(table: PolicyTable, index: number, sequence: number): Binding | undefined {
  const { words } = table;
  const at = table.flowAt(index);
  const slot = at + F.ring + (sequence % RING_SLOTS) * R.words;
  if (words[slot + R.sequence] !== sequence) return undefined;
  const word = (offset: number): number => words[slot + offset] as number;
  const binding: Binding = {
    sequence,
    scope: word(R.scope) >>> 0,
    offset: table.floats[(slot + R.offset) >> 1] as number,
    flowHash: (BigInt(word(R.hashHigh) >>> 0) << 32n) | BigInt(word(R.hashLow) >>> 0),
    ordinal: word(R.ordinal),
  };
  Atomics.store(words, at + F.bindingsRead, sequence + 1);
  return binding;
}

/** For a binding that came by message. */
export function skipBinding(table: PolicyTable, index: number, sequence: number): void {
  Atomics.store(table.words, table.flowAt(index) + F.bindingsRead, sequence + 1);
}

/** Notes a write, at this uplink offset, that a reply is expected to. */
export function armReceive(table: PolicyTable, index: number, offset: number): void {
  const at = table.flowAt(index);
  table.floats[(at + F.armOffset) >> 1] = offset;
  Atomics.add(table.words, at + F.armCount, 1);
}

export function markTls(table: PolicyTable, index: number): void {
  Atomics.or(table.words, table.flowAt(index) + F.flags, FLAG_TLS);
}

/** Notes that TLS is put on top of the flow: its hello begins at this uplink offset. Before the hello leaves. */
export function markUpgrade(table: PolicyTable, index: number, offset: number): void {
  table.floats[(table.flowAt(index) + F.upgradeOffset) >> 1] = offset;
  // The atomic operation orders the store above before it.
  markTls(table, index);
}

/** Where the hello of TLS that was put on top of the flow begins; undefined where there is none. */
export function upgradeOffset(table: PolicyTable, index: number): number | undefined {
  if (!isTls(table, index)) return undefined;
  const offset = table.floats[(table.flowAt(index) + F.upgradeOffset) >> 1] as number;
  return offset < 0 ? undefined : offset;
}

export function isTls(table: PolicyTable, index: number): boolean {
  return (Atomics.load(table.words, table.flowAt(index) + F.flags) & FLAG_TLS) !== 0;
}

export function armCount(table: PolicyTable, index: number): number {
  return Atomics.load(table.words, table.flowAt(index) + F.armCount);
}

export function armOffset(table: PolicyTable, index: number): number {
  return table.floats[(table.flowAt(index) + F.armOffset) >> 1] as number;
}

export function markGenuineFin(table: PolicyTable, index: number): void {
  Atomics.or(table.words, table.flowAt(index) + F.flags, FLAG_GENUINE_FIN);
}

export function markReset(table: PolicyTable, index: number): void {
  Atomics.or(table.words, table.flowAt(index) + F.flags, FLAG_RESET);
}

export function isReset(table: PolicyTable, index: number): boolean {
  return (Atomics.load(table.words, table.flowAt(index) + F.flags) & FLAG_RESET) !== 0;
}

export function isGenuineFin(table: PolicyTable, index: number): boolean {
  return (Atomics.load(table.words, table.flowAt(index) + F.flags) & FLAG_GENUINE_FIN) !== 0;
}

/** Stores what the coming reset of the program's leg stands for. */
export function storeFlowError(table: PolicyTable, index: number, errno: number, injected: boolean): void {
  const at = table.flowAt(index);
  if (injected) Atomics.or(table.words, at + F.flags, FLAG_INJECTED);
  Atomics.store(table.words, at + F.errno, errno);
}

export function flowError(table: PolicyTable, index: number): { errno: number; injected: boolean } {
  const at = table.flowAt(index);
  return {
    errno: Atomics.load(table.words, at + F.errno),
    injected: (Atomics.load(table.words, at + F.flags) & FLAG_INJECTED) !== 0,
  };
}
