/**
 * What really becomes of the packets of one direction: when each one came in, when it left, and which faults acted on it.
 *
 * Owns: a record per packet that is held, in one ring of numbers: nothing is allocated per packet. Never: reads a clock, or takes part in a
 * decision. Invariant: packets leave in the order in which they came.
 */
import type { Position } from "./draw.ts";
import { causeNumber } from "./registry.ts";
import type { CauseName } from "./registry.ts";

/** Where measurements go. Faults by their numbers. */
export interface MeasureSink {
  /** So many packets, lookups or connects on which the fault acted were kept so long in all, and one of them for `maxNs`. */
  kept(fault: number, count: number, totalNs: number, maxNs: number): void;
  /** What was due left so much later. */
  late(lateNs: number): void;
}

/** The bit of a fault in a set of faults. */
export function faultBit(fault: CauseName): number {
  const number = causeNumber(fault);
  return number === 0 ? 0 : 1 << number;
}

/** Tells a sink of one thing on which these faults acted. */
export function measureOne(sink: MeasureSink, faults: number, keptNs: number): void {
  for (let rest = faults; rest !== 0; rest &= rest - 1) sink.kept(31 - Math.clz32(rest & -rest), 1, keptNs, keptNs);
}

/** Numbers of a record. */
const [START, ARRIVED, EXCHANGE, CELL, SPLIT, FAULTS, STRIDE] = [0, 1, 2, 3, 4, 5, 6];
const INITIAL_CAPACITY = 4;
/** A ring that grew beyond this is given back once it is empty. */
const KEPT_CAPACITY = 512;

/** Sums of one release, by fault: filled and emptied within one call. */
const counts = new Float64Array(32);
const totalsNs = new Float64Array(32);
const worstNs = new Float64Array(32);

export class PacketTimes {
  readonly #sink: MeasureSink;
  #ring = new Float64Array(INITIAL_CAPACITY * STRIDE);
  #head = 0;
  #length = 0;
  /** Bytes that came in, and that left. */
  #taken = 0;
  #left = 0;

  constructor(sink: MeasureSink) {
    this.#sink = sink;
  }

  /** Records kept at the moment; for tests of bounded memory. */
  get entries(): number {
    return this.#length;
  }

  /** A packet begins with the next bytes. */
  begin({ exchange, cell, split }: Position, nowNs: number): void {
    if (this.#length * STRIDE === this.#ring.length) this.#resize(this.#length * 2);
    const at = this.#slot(this.#length++);
    const ring = this.#ring;
    ring[at + START] = this.#taken;
    ring[at + ARRIVED] = nowNs;
    ring[at + EXCHANGE] = exchange;
    ring[at + CELL] = cell;
    ring[at + SPLIT] = split;
    ring[at + FAULTS] = 0;
  }

  /** Bytes of the latest packet came in. */
  take(bytes: number): void {
    this.#taken += bytes;
  }

  /** A fault acted on the packet at this position, if that is still here. */
  mark(at: Position, fault: CauseName): void {
    let low = 0;
    let high = this.#length - 1;
    // Mostly it is the latest one.
    for (let n = high; low <= high; n = (low + high) >> 1) {
      const slot = this.#slot(n);
      const order = this.#compare(slot, at);
      if (order === 0) {
        this.#ring[slot + FAULTS]! |= faultBit(fault);
        return;
      }
      if (order < 0) low = n + 1;
      else high = n - 1;
    }
  }

  /** Bytes leave now. `lateNs`: so long after they were due; undefined where they did not wait for a time. */
  leave(bytes: number, nowNs: number, lateNs: number | undefined): void {
    this.#left += bytes;
    if (lateNs !== undefined) this.#sink.late(lateNs);
    let acted = 0;
    while (this.#length > 0 && this.#ring[this.#slot(0) + START]! < this.#left) acted |= this.#drop(nowNs);
    for (; acted !== 0; acted &= acted - 1) {
      const fault = 31 - Math.clz32(acted & -acted);
      this.#sink.kept(fault, counts[fault]!, totalsNs[fault]!, worstNs[fault]!);
      counts[fault] = totalsNs[fault] = worstNs[fault] = 0;
    }
    if (this.#length === 0 && this.#ring.length > KEPT_CAPACITY * STRIDE) this.#resize(INITIAL_CAPACITY);
  }

  /** The first packet leaves: its time goes to each of its faults, which are returned. */
  #drop(nowNs: number): number {
    const at = this.#slot(0);
    this.#head = (this.#head + STRIDE) % this.#ring.length;
    this.#length--;
    const faults = this.#ring[at + FAULTS]!;
    const keptNs = nowNs - this.#ring[at + ARRIVED]!;
    for (let rest = faults; rest !== 0; rest &= rest - 1) {
      const fault = 31 - Math.clz32(rest & -rest);
      counts[fault]!++;
      totalsNs[fault]! += keptNs;
      if (keptNs > worstNs[fault]!) worstNs[fault] = keptNs;
    }
    return faults;
  }

  /** Where the n-th record stands. */
  #slot(n: number): number {
    return (this.#head + n * STRIDE) % this.#ring.length;
  }

  #compare(slot: number, at: Position): number {
    const ring = this.#ring;
    return ring[slot + EXCHANGE]! - at.exchange || ring[slot + CELL]! - at.cell || ring[slot + SPLIT]! - at.split;
  }

  #resize(capacity: number): void {
    const ring = new Float64Array(capacity * STRIDE);
    for (let n = 0; n < this.#length; n++) {
      const at = this.#slot(n);
      ring.set(this.#ring.subarray(at, at + STRIDE), n * STRIDE);
    }
    this.#ring = ring;
    this.#head = 0;
  }
}
