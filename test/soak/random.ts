/** Choices that the seed of the run makes: which client, which fault, which text. What they meet depends on time all the same. */

export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** At least 0, less than 1 (mulberry32). */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }

  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }

  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  /** Mostly short, at times up to 16,000 characters. No two are alike. */
  text(): string {
    const length = this.chance(0.1) ? this.between(2_000, 16_000) : this.between(16, 400);
    const word = this.below(2 ** 32).toString(36);
    return `${word}-`.repeat(Math.ceil(length / (word.length + 1))).slice(0, length);
  }
}
