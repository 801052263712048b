/**
 * `packet_loss`: each transmission of a packet is lost with probability p; attempt a of a packet is drawn with counter attempt = a, so
 * an n-packet message is untouched with probability (1−p)^n. On a TCP stream no byte is lost: the verdict is how many transmissions of
 * the packet fail, and `models/tcp-recovery.ts` makes that a delay (link model §1).
 */
import type { Draws, Position } from "../draw.ts";
import { BurstLoss } from "./burst-loss.ts";
import { CERTAIN_PPM, type LossFault, type LossModel } from "./loss.ts";

export class PacketLoss implements LossModel {
  readonly #draws: Draws;
  readonly #ppm: number;
  readonly #length: number;
  readonly #burst = new BurstLoss();
  cause: LossFault = "packet_loss";

  constructor(draws: Draws, ppm: number, burst: number) {
    this.#draws = draws;
    this.#ppm = ppm;
    this.#length = burst;
  }

  lost(at: Position, severity: number): boolean {
    if (this.#burst.takesNext() && severity > 0) {
      this.cause = "burst_loss";
      return true;
    }
    if (!this.lostAgain(at, 0, severity)) return false;
    this.cause = "packet_loss";
    this.#burst.begin(Math.round(1 + (this.#length - 1) * severity));
    return true;
  }

  lostAgain(at: Position, attempt: number, severity: number): boolean {
    return this.#draws.hits(at, "packet_loss", attempt, this.#ppm * severity);
  }

  certain(severity: number): boolean {
    return this.#ppm * severity >= CERTAIN_PPM;
  }
}
