/**
 * What the engine is told and what it answers: plain data, so that it crosses threads as it is.
 *
 * Time is nanoseconds (`…Ns`), a float64 on one monotonic clock; sizes are bytes; probabilities are parts per million (`…Ppm`);
 * rates are bits per second (`…Bps`), `Infinity` where there is none. The engine never reads a clock: `nowNs` comes in.
 */

/** 0 = app → peer, 1 = peer → app. */
export const UPLINK = 0;
export const DOWNLINK = 1;
export type Direction = 0 | 1;

/** The faults of one direction, after `uplink`/`downlink` were laid over the general fields. */
export interface DirectionFaults {
  readonly latencyNs: number;
  /** Extra delay, uniform in [0, jitterNs]. */
  readonly jitterNs: number;
  readonly lossPpm: number;
  /** After a loss, this many packets in total are lost in a row; 1 = no bursts. */
  readonly burst: number;
  /** Serialisation rate; `Infinity` = unlimited. */
  readonly rateBps: number;
}

export type ErrorKind = "reset" | "refused" | "unreachable";

export interface ConnectionErrorFault {
  readonly kind: ErrorKind;
  readonly ppm: number;
}

export interface TimeoutFault {
  readonly connectNs: number | undefined;
  readonly recvNs: number | undefined;
}

/** Everything that the engine needs of a policy. */
export interface FlowFaults {
  readonly uplink: DirectionFaults;
  readonly downlink: DirectionFaults;
  readonly timeout: TimeoutFault;
  readonly connectionError: ConnectionErrorFault | undefined;
}

/** Names of faults as events carry them (the policy field that caused the event, in snake_case as in files). */
export type FaultName = "latency" | "jitter" | "rate" | "packet_loss" | "burst_loss" | "timeout" | "connection_error";

/**
 * One recorded decision of the engine on one packet or connect attempt. `fault`, `decision` and the position fields depend on the
 * seed and the flow key only, never on time or chunking; `delayNs` is what the decision costs as far as it is known when it is made.
 */
export interface Decision {
  readonly atNs: number;
  readonly direction: Direction;
  /** Position: see design §7. For connect attempts `exchange` is -1 and `cell` is the number of the attempt. */
  readonly exchange: number;
  readonly cell: number;
  readonly split: number;
  /** Bytes of the packet that were known when the decision was made. */
  readonly bytes: number;
  readonly fault: FaultName;
  /** What was decided, e.g. `delay`, `lost x2`, `lost`, `recovered`, `ETIMEDOUT`. Deterministic. */
  readonly decision: string;
  /** Delay that this decision adds, ns; 0 where it adds none; Infinity for an open-ended hold. */
  readonly delayNs: number;
  /** Error code, for decisions that raise one. */
  readonly code?: string | undefined;
}

export type DecisionSink = (decision: Decision) => void;

/** The 64-bit hash of a flow key and the 64-bit seed: all that randomness depends on besides the position. */
export interface DrawKey {
  readonly seed: bigint;
  readonly flowHash: bigint;
}
