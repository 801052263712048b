/**
 * What the two kinds of loss have in common: `packet_loss` with its bursts, and `correlated_loss`, which replaces both. A direction has
 * one `LossModel` (`loss-model.ts` makes it): a TCP sender asks it for verdicts, a UDP socket for each datagram.
 */
import { decisionAt } from "../decisions.ts";
import type { Position } from "../draw.ts";
import type { Decision } from "../types.ts";

export const CERTAIN_PPM: number = 1_000_000;
/** No flow lives to see this many failures in a row: `tcp_retries2` ends it after at most 18 transmissions. */
const MAX_FAILURES = 32;

export type LossFault = "packet_loss" | "burst_loss" | "correlated_loss";

/** How severely a schedule acts at a time, from 0 (not at all) to 1 (as written). A pure function: it may be asked for any time. */
export type SeverityAt = (nowNs: number) => number;

export interface LossModel {
  /**
   * Whether the packet, or datagram, at `at` is lost when it is sent first, at a severity. To be asked once per packet, in packet order: bursts and
   * states go on from packet to packet.
   */
  lost(at: Position, severity: number): boolean;
  /** Whether retransmission `attempt` (1, 2, …) of it is lost as well. Changes no state. */
  lostAgain(at: Position, attempt: number, severity: number): boolean;
  /** At this severity nothing gets through. */
  certain(severity: number): boolean;
  /** What lost the first transmission of the packet that was lost last. */
  readonly cause: LossFault;
}

/** How many transmissions of the packet at `at` fail before one succeeds: its verdict, where loss does not change with time. */
export function countFailures(loss: LossModel, at: Position): number {
  if (!loss.lost(at, 1)) return 0;
  let failures = 1;
  while (failures < MAX_FAILURES && loss.lostAgain(at, failures, 1)) failures++;
  return failures;
}

/** One datagram, or one transmission that was judged at its own time. */
export function droppedDecision(at: Position, nowNs: number, bytes: number, fault: LossFault): Decision {
  return decisionAt(at, nowNs, bytes, fault, "lost", 0);
}

/** The delay is not known yet; `recoveredDecision` says it when it is. */
export function lostDecision(at: Position, nowNs: number, bytes: number, fault: LossFault, failures: number): Decision {
  return decisionAt(at, nowNs, bytes, fault, `lost x${failures}`, 0);
}

export function recoveredDecision(at: Position, nowNs: number, bytes: number, fault: LossFault, extraNs: number): Decision {
  return decisionAt(at, nowNs, bytes, fault, "recovered", extraNs);
}

export function heldDecision(at: Position, nowNs: number, bytes: number, fault: LossFault): Decision {
  return decisionAt(at, nowNs, bytes, fault, "held", Infinity);
}
