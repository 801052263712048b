/**
 * The chain of Gilbert (Bell System Technical Journal 39, 1960) and Elliott (BSTJ 42, 1963): a channel that is GOOD or BAD, and loses with
 * a probability of its own in either state. What follows from its four numbers (link model §2).
 */
import type { CorrelatedLossFault } from "../types.ts";

const PPM = 1_000_000;

/**
 * The share of packets that meet the state BAD, p/(p+r). A chain that never changes (p = r = 0) has no share of its own: it stays GOOD,
 * as a channel does that was never told to turn bad.
 */
export function badShare({ goodToBadPpm, badToGoodPpm }: CorrelatedLossFault): number {
  const changes = goodToBadPpm + badToGoodPpm;
  return changes === 0 ? 0 : goodToBadPpm / changes;
}

/** The share of packets that are lost in the long run, π_B·e_B + π_G·e_G, in parts per million. */
export function meanLossPpm(fault: CorrelatedLossFault): number {
  const bad = badShare(fault);
  return bad * fault.lossBadPpm + (1 - bad) * fault.lossGoodPpm;
}

/** The states of one direction of one flow. All random numbers come in, one uniform u per packet. */
export class GilbertElliott {
  readonly #toBad: number;
  readonly #stayBad: number;
  readonly #first: number;
  #bad: boolean | undefined;

  constructor(fault: CorrelatedLossFault) {
    this.#toBad = fault.goodToBadPpm / PPM;
    this.#stayBad = 1 - fault.badToGoodPpm / PPM;
    this.#first = badShare(fault);
  }

  /**
   * The next packet: the transition comes first, and the packet meets the new state. The first packet meets one from the stationary
   * distribution. BAD iff u is below a bound, whatever the state was: so two runs that differ at some packet soon agree again.
   */
  nextIsBad(u: number): boolean {
    const bound = this.#bad === undefined ? this.#first : this.#bad ? this.#stayBad : this.#toBad;
    this.#bad = u < bound;
    return this.#bad;
  }
}
