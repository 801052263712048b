/**
 * `packet_loss`: each transmission of a packet is lost with probability p; attempt a of a packet is drawn with counter attempt = a, so
 * an n-packet message is untouched with probability (1−p)^n. On a TCP stream no byte is lost: the verdict is how many transmissions of
 * the packet fail, and `models/tcp-recovery.ts` makes that a delay (link model §1).
 */
import { decisionAt } from "../decisions.ts";
import type { Draws, Position } from "../draw.ts";
import type { Decision } from "../types.ts";
import { BurstLoss } from "./burst-loss.ts";

export const CERTAIN_PPM: number = 1_000_000;
/** No flow lives to see this many failures in a row: `tcp_retries2` ends it after at most 18 transmissions. */
const MAX_FAILURES = 32;

export type LossFault = "packet_loss" | "burst_loss";

export interface LossVerdicts {
  /** How many transmissions of the packet at `at` fail before one succeeds. To be asked once per packet, in packet order. */
  failures(at: Position): number;
  /** What lost the first transmission of the packet that was judged last. */
  readonly cause: LossFault;
}

export class PacketLoss implements LossVerdicts {
  readonly #draws: Draws;
  readonly #ppm: number;
  readonly #burst: BurstLoss;
  cause: LossFault = "packet_loss";

  constructor(draws: Draws, ppm: number, burst: number) {
    this.#draws = draws;
    this.#ppm = ppm;
    this.#burst = new BurstLoss(burst);
  }

  failures(at: Position): number {
    if (this.#burst.takesNext()) {
      this.cause = "burst_loss";
    } else if (this.#draws.hits(at, "packet_loss", 0, this.#ppm)) {
      this.cause = "packet_loss";
      this.#burst.begin();
    } else {
      return 0;
    }
    let failures = 1;
    while (failures < MAX_FAILURES && this.#draws.hits(at, "packet_loss", failures, this.#ppm)) failures++;
    return failures;
  }
}

/** The delay is not known yet; `recoveredDecision` says it when it is. */
export function lostDecision(at: Position, nowNs: number, bytes: number, fault: LossFault, failures: number): Decision {
  return decisionAt(at, nowNs, bytes, fault, `lost x${failures}`, 0);
}

export function recoveredDecision(at: Position, nowNs: number, bytes: number, fault: LossFault, extraNs: number): Decision {
  return decisionAt(at, nowNs, bytes, fault, "recovered", extraNs);
}

export function heldDecision(at: Position, nowNs: number, bytes: number): Decision {
  return decisionAt(at, nowNs, bytes, "packet_loss", "held", Infinity);
}
