/** Which loss a direction has. */
import type { Draws } from "../draw.ts";
import { meanLossPpm } from "../models/gilbert-elliott.ts";
import type { DirectionFaults } from "../types.ts";
import { CorrelatedLoss } from "./correlated-loss.ts";
import type { LossFault, LossModel } from "./loss.ts";
import { PacketLoss } from "./packet-loss.ts";

/** The loss of a direction; undefined where nothing is lost. */
export function lossModel(draws: Draws, faults: DirectionFaults): LossModel | undefined {
  const { correlatedLoss, lossPpm, burst } = faults;
  if (lossOfLonePackets(faults).ppm <= 0) return undefined;
  return correlatedLoss === undefined ? new PacketLoss(draws, lossPpm, burst) : new CorrelatedLoss(draws, correlatedLoss);
}

/** What packets meet that are far apart, such as SYNs: the fault, and the share of them that is lost. */
export function lossOfLonePackets({ correlatedLoss, lossPpm }: DirectionFaults): { readonly fault: LossFault; readonly ppm: number } {
  return correlatedLoss === undefined
    ? { fault: "packet_loss", ppm: lossPpm }
    : { fault: "correlated_loss", ppm: meanLossPpm(correlatedLoss) };
}
