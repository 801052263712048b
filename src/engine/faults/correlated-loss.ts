/**
 * `correlated_loss`: Gilbert-Elliott loss (link model §2). Packets in packet order walk through the states of a chain, and each is lost
 * with the probability of its state. It replaces `packet_loss`; `burst_loss` does not apply, since bursts are what the chain is for.
 *
 * Retransmissions do not walk: a packet is repeated after a round trip at the earliest, when the burst that took it is over, so each is
 * lost with the chain's mean loss. That also keeps the verdict a matter of the packet's position, not of what else was sent meanwhile;
 * and a BAD state that loses everything cannot hold a lone packet for ever.
 *
 * Draws: attempt 0 of a packet is its transition, attempt a + 1 the loss of its transmission a.
 */
import type { Draws, Position } from "../draw.ts";
import { GilbertElliott, meanLossPpm } from "../models/gilbert-elliott.ts";
import type { CorrelatedLossFault } from "../types.ts";
import { CERTAIN_PPM, type LossFault, type LossModel } from "./loss.ts";

export class CorrelatedLoss implements LossModel {
  readonly cause: LossFault = "correlated_loss";
  readonly #draws: Draws;
  readonly #fault: CorrelatedLossFault;
  readonly #chain: GilbertElliott;
  readonly #meanPpm: number;

  constructor(draws: Draws, fault: CorrelatedLossFault) {
    this.#draws = draws;
    this.#fault = fault;
    this.#chain = new GilbertElliott(fault);
    this.#meanPpm = meanLossPpm(fault);
  }

  lost(at: Position, severity: number): boolean {
    const bad = this.#chain.nextIsBad(this.#draws.uniform(at, "correlated_loss", 0));
    const ppm = bad ? this.#fault.lossBadPpm : this.#fault.lossGoodPpm;
    return this.#draws.hits(at, "correlated_loss", 1, ppm * severity);
  }

  lostAgain(at: Position, attempt: number, severity: number): boolean {
    return this.#draws.hits(at, "correlated_loss", attempt + 1, this.#meanPpm * severity);
  }

  certain(severity: number): boolean {
    return this.#meanPpm * severity >= CERTAIN_PPM;
  }
}
