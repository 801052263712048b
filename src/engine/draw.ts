/**
 * All randomness of the engine: a draw is a pure function of the seed, the flow key, a packet's position, the fault and the attempt.
 * No draw consumes another's, so turning one fault on, or another flow's traffic, changes nothing elsewhere (design §7).
 */
import { philox4x32 } from "./philox.ts";
import { FAULT_IDS, type FaultName } from "./registry.ts";
import type { Direction, DrawKey } from "./types.ts";

/** Where a packet is in its flow (design §7). Connect attempts have exchange -1 and their number as the cell. */
export interface Position {
  readonly direction: Direction;
  readonly exchange: number;
  readonly cell: number;
  readonly split: number;
}

/** The parts of a flow key, in the words of design §7. */
export interface FlowKeyParts {
  /** Hash of the policy's name, or of its canonical fields where it has none; see `hashText`. */
  readonly policyKeyHash: bigint;
  readonly scopeOrdinal: number;
  readonly target: string;
  readonly flowOrdinal: number;
  readonly threadPath: string;
}

const PPM = 1_000_000;
const TWO_32 = 4_294_967_296;
/** 2^-53 */
const ULP = 1 / 9_007_199_254_740_992;

const lowWord = (value: bigint): number => Number(BigInt.asUintN(32, value));
const highWord = (value: bigint): number => Number(BigInt.asUintN(32, value >> 32n));

/** The draws of one flow under one seed. */
export class Draws {
  readonly #key0: number;
  readonly #key1: number;
  readonly #words = new Uint32Array(4);

  constructor(key: DrawKey) {
    // The seed is the key and the flow hash the counter: neighbouring seeds, and neighbouring hashes, give unrelated subkeys.
    philox4x32(lowWord(key.flowHash), highWord(key.flowHash), 0, 0, lowWord(key.seed), highWord(key.seed), this.#words);
    this.#key0 = this.#words[0]!;
    this.#key1 = this.#words[1]!;
  }

  /** Whether an event of probability `ppm` happens. Integer arithmetic up to the comparison, hence exact. */
  hits(at: Position, fault: FaultName, attempt: number, ppm: number): boolean {
    if (ppm <= 0) return false;
    if (ppm >= PPM) return true;
    this.#draw(at, fault, attempt);
    return this.#words[0]! * PPM < ppm * TWO_32;
  }

  /** A uniform number in [0, 1) with 53 random bits. */
  uniform(at: Position, fault: FaultName, attempt: number): number {
    this.#draw(at, fault, attempt);
    return ((this.#words[0]! >>> 5) * 67_108_864 + (this.#words[1]! >>> 6)) * ULP;
  }

  #draw(at: Position, fault: FaultName, attempt: number): void {
    // One word: bit 0 the direction, bits 1–8 the fault, bits 9–31 the split.
    const which = at.direction | (FAULT_IDS[fault] << 1) | (at.split << 9);
    philox4x32(at.exchange, at.cell, which, attempt, this.#key0, this.#key1, this.#words);
  }
}

/** A running 64-bit hash with Philox as its compression function: the state is the key, the input the counter. Not cryptographic. */
class Hash {
  #state0 = 0;
  #state1 = 0;
  readonly #words = new Uint32Array(4);

  block(c0: number, c1: number, c2: number, c3: number): void {
    philox4x32(c0, c1, c2, c3, this.#state0, this.#state1, this.#words);
    this.#state0 = this.#words[0]!;
    this.#state1 = this.#words[1]!;
  }

  /** The length goes first, so that no two lists of strings run into each other. Code units, so that any string is distinct. */
  text(value: string): void {
    this.block(value.length, 0, 0, 1);
    for (let i = 0; i < value.length; i += 6) {
      const unit = (offset: number): number => (i + offset < value.length ? value.charCodeAt(i + offset) : 0);
      this.block(unit(0) | (unit(1) << 16), unit(2) | (unit(3) << 16), unit(4) | (unit(5) << 16), 2);
    }
  }

  digest(): bigint {
    return (BigInt(this.#state1 >>> 0) << 32n) | BigInt(this.#state0 >>> 0);
  }
}

/** A stable 64-bit hash of a text: a policy name, or canonical fields. The same in every version of faultcore. */
export function hashText(text: string): bigint {
  const hash = new Hash();
  hash.text(text);
  return hash.digest();
}

/** The stable 64-bit hash of a flow key. The same in every version of faultcore. */
export function hashFlowKey(parts: FlowKeyParts): bigint {
  const hash = new Hash();
  hash.block(lowWord(parts.policyKeyHash), highWord(parts.policyKeyHash), 0, 3);
  hash.block(parts.scopeOrdinal, Math.floor(parts.scopeOrdinal / TWO_32), 0, 4);
  hash.text(parts.target);
  hash.block(parts.flowOrdinal, Math.floor(parts.flowOrdinal / TWO_32), 0, 5);
  hash.text(parts.threadPath);
  return hash.digest();
}
