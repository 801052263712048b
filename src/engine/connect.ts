/**
 * What happens to one connect attempt (one address tried by one `connect()` call), before anything is dialled.
 *
 * The SYN takes the uplink's delay, the verdict the downlink's. A transmission of the SYN gets through, and its answer back, with
 * probability (1−p_up)(1−p_down); else the attempt waits for the next one. Only the transmission that survives is dialled, so the real
 * peer never sees a connection that the virtual network lost. All times are relative to the start of the attempt.
 *
 * Under `correlated_loss`, p is the mean loss of the chain: SYNs are a second apart, no burst lasts from one to the next.
 */
import { decisionAt } from "./decisions.ts";
import { Draws, type Position } from "./draw.ts";
import {
  connectErrorCode,
  type ConnectionErrorCode,
  connectionErrorDecision,
  openFlowErrorCode,
  rollConnectionError,
} from "./faults/connection-error.ts";
import { drawJitterNs, jitterDecision } from "./faults/jitter.ts";
import { lossOfLonePackets } from "./faults/loss-model.ts";
import type { LossFault, SeverityAt } from "./faults/loss.ts";
import { latencyDecision } from "./faults/latency.ts";
import { timeoutDecision } from "./faults/timeout.ts";
import type { FaultName } from "./registry.ts";
import { scaleDirection } from "./faults/schedule.ts";
import { type ConnectionErrorFault, type Decision, type DirectionFaults, DOWNLINK, type DrawKey, UPLINK } from "./types.ts";

const S_NS = 1e9;

/** When a SYN is sent, and when the kernel gives up. */
interface SynSchedule {
  readonly sentAtNs: readonly number[];
  readonly failsAtNs: number;
}

export type SynProfile = "linux" | "rfc6298";

/** `linux`: kernels that retry four times at 1 s before they double (`tcp_syn_linear_timeouts`). `rfc6298`: doubling from 1 s. */
const SYN_SCHEDULES: Readonly<Record<SynProfile, SynSchedule>> = {
  linux: { sentAtNs: [0, 1, 2, 3, 4, 5, 7, 11, 19, 35, 67].map((s) => s * S_NS), failsAtNs: 131 * S_NS },
  rfc6298: { sentAtNs: [0, 1, 3, 7, 15, 31, 63].map((s) => s * S_NS), failsAtNs: 127 * S_NS },
};

export interface ConnectOptions {
  readonly up: DirectionFaults;
  readonly down: DirectionFaults;
  readonly timeoutConnectNs: number | undefined;
  readonly connectionError: ConnectionErrorFault | undefined;
  readonly key: DrawKey;
  /** The how manieth address this `connect()` tries, from 0. */
  readonly attempt: number;
  readonly profile?: SynProfile | undefined;
  /** What a schedule makes of the faults, so long after the start of the attempt. A timeout is given, or not, by who asks. */
  readonly severityAt?: SeverityAt | undefined;
}

export interface ConnectFailure {
  readonly code: ConnectionErrorCode | "ETIMEDOUT";
  readonly atNs: number;
  /** The fault that the failure is due to. */
  readonly fault: FaultName;
}

export interface ConnectPlan {
  /** When to dial the real peer; Infinity: nothing is dialled, and `error` says how the attempt ends. */
  readonly dialAfterNs: number;
  /** How long the real verdict, good or bad, travels back. */
  readonly reportDelayNs: number;
  readonly lostSyns: number;
  readonly error: ConnectFailure | undefined;
  /** The attempt fails with ETIMEDOUT if it is not reported by then (`connectTimeoutDecision` records it). Undefined where `error` is. */
  readonly timeoutAtNs: number | undefined;
  /** `atNs` relative to the start of the attempt, like everything here. */
  readonly decisions: readonly Decision[];
}

const attemptPosition = (direction: Position["direction"], attempt: number): Position => ({
  direction,
  exchange: -1,
  cell: attempt,
  split: 0,
});

export function planConnect(options: ConnectOptions): ConnectPlan {
  const { up, down, timeoutConnectNs } = options;
  const draws = new Draws(options.key);
  const upAt = attemptPosition(UPLINK, options.attempt);
  const downAt = attemptPosition(DOWNLINK, options.attempt);
  const schedule = SYN_SCHEDULES[options.profile ?? "linux"];
  const decisions: Decision[] = [];
  const upLoss = lossOfLonePackets(up);
  const downLoss = lossOfLonePackets(down);

  let lostSyns = 0;
  let firstLost: { readonly at: Position; readonly fault: LossFault } | undefined;
  for (; lostSyns < schedule.sentAtNs.length; lostSyns++) {
    // Both are always drawn, so that the fate of the answer does not depend on that of the SYN.
    const severity = options.severityAt?.(schedule.sentAtNs[lostSyns]!) ?? 1;
    const lostUp = draws.hits(upAt, upLoss.fault, lostSyns, upLoss.ppm * severity);
    const lostDown = draws.hits(downAt, downLoss.fault, lostSyns, downLoss.ppm * severity);
    if (!lostUp && !lostDown) break;
    firstLost ??= lostUp ? { at: upAt, fault: upLoss.fault } : { at: downAt, fault: downLoss.fault };
  }
  const sentAtNs = schedule.sentAtNs[lostSyns];
  if (firstLost !== undefined) {
    const code = sentAtNs === undefined ? "ETIMEDOUT" : undefined;
    decisions.push(decisionAt(firstLost.at, 0, 0, firstLost.fault, `lost x${lostSyns}`, sentAtNs ?? schedule.failsAtNs, code));
  }
  if (sentAtNs === undefined) {
    const error: ConnectFailure = { code: "ETIMEDOUT", atNs: schedule.failsAtNs, fault: firstLost!.fault };
    return failed(error, lostSyns, decisions, upAt, timeoutConnectNs);
  }

  const severityAt = (atNs: number): number => options.severityAt?.(atNs) ?? 1;
  const dialAfterNs = sentAtNs + oneWayNs(draws, scaleDirection(up, severityAt(sentAtNs)), upAt, decisions);
  const atPeer = severityAt(dialAfterNs);
  const reportDelayNs = oneWayNs(draws, scaleDirection(down, atPeer), downAt, decisions);
  const roundTripNs = dialAfterNs + reportDelayNs;
  if (rollConnectionError(draws, upAt, options.connectionError, atPeer)) {
    const code = connectErrorCode(options.connectionError!.kind);
    decisions.push(connectionErrorDecision(upAt, roundTripNs, code, 0));
    return failed({ code, atNs: roundTripNs, fault: "connection_error" }, lostSyns, decisions, upAt, timeoutConnectNs);
  }
  if (timeoutConnectNs !== undefined && roundTripNs > timeoutConnectNs) {
    return failed({ code: "ETIMEDOUT", atNs: timeoutConnectNs, fault: "timeout" }, lostSyns, decisions, upAt, timeoutConnectNs);
  }
  return { dialAfterNs, reportDelayNs, lostSyns, error: undefined, timeoutAtNs: timeoutConnectNs, decisions };
}

/** The record of a `timeout.connect` that ran out while the real peer was being dialled. */
export function connectTimeoutDecision(attempt: number, atNs: number, timeoutConnectNs: number): Decision {
  return timeoutDecision(attemptPosition(UPLINK, attempt), atNs, timeoutConnectNs);
}

export interface FirstUseFailure {
  readonly code: "ECONNRESET" | "EHOSTUNREACH";
  readonly decision: Decision;
}

/** `connection_error` at the first use of an open flow in a scope: how the flow fails, or undefined if it does not. */
export function planFirstUse(
  connectionError: ConnectionErrorFault | undefined,
  key: DrawKey,
  nowNs = 0,
  severity = 1,
): FirstUseFailure | undefined {
  const at: Position = { direction: UPLINK, exchange: 0, cell: 0, split: 0 };
  if (connectionError === undefined || !rollConnectionError(new Draws(key), at, connectionError, severity)) return undefined;
  const code = openFlowErrorCode(connectionError.kind);
  return { code, decision: connectionErrorDecision(at, nowNs, code, 0) };
}

/** Latency and jitter of one direction, recorded as they are drawn. */
function oneWayNs(draws: Draws, faults: DirectionFaults, at: Position, decisions: Decision[]): number {
  const jitterNs = drawJitterNs(draws, at, faults.jitterNs);
  if (faults.latencyNs > 0) decisions.push(latencyDecision(at, 0, 0, faults.latencyNs));
  if (faults.jitterNs > 0) decisions.push(jitterDecision(at, 0, 0, jitterNs));
  return faults.latencyNs + jitterNs;
}

/** An attempt that dials nothing: it ends with `error`, or at the connect timeout if that comes first. */
function failed(
  error: ConnectFailure,
  lostSyns: number,
  decisions: Decision[],
  at: Position,
  timeoutConnectNs: number | undefined,
): ConnectPlan {
  const timedOut = error.fault === "timeout" || (timeoutConnectNs !== undefined && timeoutConnectNs < error.atNs);
  if (timedOut) {
    decisions.push(timeoutDecision(at, timeoutConnectNs!, timeoutConnectNs!));
    error = { code: "ETIMEDOUT", atNs: timeoutConnectNs!, fault: "timeout" };
  }
  return { dialAfterNs: Infinity, reportDelayNs: 0, lostSyns, error, timeoutAtNs: undefined, decisions };
}
