/**
 * What was really measured in a scope: how long its faults kept what they acted on, by fault, and how late its clocks were. Added to by relays and
 * by the program's own threads at once, without the lock; one slot of the scope's row for each.
 */
import { M, MEASURES, S, sameRow, scopeIndex } from "./layout.ts";
import type { PolicyTable } from "./table.ts";

const TWO_32 = 2 ** 32;
const NS_PER_US = 1000;
/** The slot of lateness: no fault has the number 0. */
const LATENESS = 0;

/** Times of one kind. */
export interface Measure {
  readonly count: number;
  readonly totalNs: number;
  /** In whole microseconds, rounded up. */
  readonly maxNs: number;
}

/** The sums of one scope, as whoever measures adds to them. */
export class ScopeMeasures {
  readonly #table: PolicyTable;
  readonly #scope: number;
  readonly #row: number;
  readonly #at: number;

  constructor(table: PolicyTable, scope: number) {
    this.#table = table;
    this.#scope = scope;
    this.#row = table.scopeAt(scopeIndex(scope));
    this.#at = this.#row + S.measures;
  }

  /** The fault kept so many of what it acted on so long in all, and one of them for `maxNs`. */
  kept(fault: number, count: number, totalNs: number, maxNs: number): void {
    this.#add(fault, count, totalNs, maxNs);
  }

  /** Something that was due happened so much later. */
  late(lateNs: number): void {
    this.#add(LATENESS, 1, lateNs, lateNs);
  }

  #add(slot: number, count: number, totalNs: number, maxNs: number): void {
    const { words } = this.#table;
    // What waited for longer than the scope's row was kept counts for nobody.
    if (!sameRow(this.#scope, Atomics.load(words, this.#row + S.generation))) return;
    const at = this.#at + slot * M.words;
    const total = Math.max(0, Math.round(totalNs));
    const low = total % TWO_32;
    const before = Atomics.add(words, at + M.totalLow, low | 0) >>> 0;
    const high = Math.floor(total / TWO_32) + (before + low >= TWO_32 ? 1 : 0);
    if (high > 0) Atomics.add(words, at + M.totalHigh, high);
    Atomics.add(words, at + M.count, count);
    raise(words, at + M.maxUs, Math.min(0x7fff_ffff, Math.ceil(Math.max(0, maxNs) / NS_PER_US)));
  }

  /** The sums so far: of faults by number, and of lateness. */
  read(): { readonly kept: ReadonlyMap<number, Measure>; readonly lateness: Measure } {
    const kept = new Map<number, Measure>();
    for (let fault = 1; fault < MEASURES; fault++) {
      const measure = this.#read(fault);
      if (measure.count > 0) kept.set(fault, measure);
    }
    return { kept, lateness: this.#read(LATENESS) };
  }

  #read(slot: number): Measure {
    const at = this.#at + slot * M.words;
    const word = (offset: number): number => Atomics.load(this.#table.words, at + offset) >>> 0;
    return { count: word(M.count), totalNs: word(M.totalHigh) * TWO_32 + word(M.totalLow), maxNs: word(M.maxUs) * NS_PER_US };
  }
}

function raise(words: Int32Array, at: number, value: number): void {
  for (let now = Atomics.load(words, at); value > now;) {
    const before = Atomics.compareExchange(words, at, now, value);
    if (before === now) return;
    now = before;
  }
}
