/**
 * What the engine is told and what it answers: plain data, so that it crosses threads as it is.
 *
 * Time is nanoseconds (`…Ns`), a float64 on one monotonic clock; sizes are bytes; probabilities are parts per million (`…Ppm`);
 * rates are bits per second (`…Bps`), `Infinity` where there is none. The engine never reads a clock: `nowNs` comes in.
 */

import type { CauseName } from "./registry.ts";

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
  /** Gilbert-Elliott loss; where it is set, `lossPpm` is 0. */
  readonly correlatedLoss: CorrelatedLossFault | undefined;
  /** Window of the virtual TCP sender; `none` = unbounded. */
  readonly congestion: Congestion;
  readonly duplicate: DuplicateFault | undefined;
  readonly reorder: ReorderFault | undefined;
}

export type Congestion = "none" | "reno" | "cubic";

export interface CorrelatedLossFault {
  readonly goodToBadPpm: number;
  readonly badToGoodPpm: number;
  readonly lossGoodPpm: number;
  readonly lossBadPpm: number;
}

export interface DuplicateFault {
  readonly ppm: number;
  /** A packet that is hit arrives 1 to this many times more. */
  readonly maxExtra: number;
}

export interface ReorderFault {
  readonly ppm: number;
  readonly maxDelayNs: number;
  /** A packet that is hit is overtaken by this many later ones, unless `maxDelayNs` is over first. */
  readonly window: number;
  /** TCP only: `wait` is head-of-line waiting, `swap` changes the order of the bytes. */
  readonly stream: "wait" | "swap";
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

export interface HalfOpenFault {
  /** Wire bytes since the binding, both directions together; undefined: the first use. */
  readonly afterBytes: number | undefined;
  readonly error: ErrorKind | "silent";
}

export interface DnsFault {
  readonly delayNs: number;
  readonly timeoutNs: number | undefined;
  readonly nxdomainPpm: number;
}

/** Limits per flow; `Infinity` where there is none. */
export interface BudgetFault {
  readonly maxTxBytes: number;
  readonly maxRxBytes: number;
  readonly maxOps: number;
  readonly maxDurationNs: number;
  readonly action: "drop" | "timeout" | "connection_error";
  /** With `timeout`: how long the flow is silent before ETIMEDOUT. */
  readonly budgetTimeoutNs: number;
  /** With `connection_error`. */
  readonly error: ErrorKind;
}

/** Changes of payload bytes. Offsets and counts are within a packet; texts are UTF-8. */
export interface MutationFault {
  readonly type: "truncate" | "corrupt_bytes" | "inject_bytes" | "replace_pattern" | "corrupt_encoding" | "swap_bytes";
  readonly ppm: number;
  readonly uplink: boolean;
  readonly downlink: boolean;
  readonly truncateBytes: number;
  readonly corruptCount: number;
  /** Replaces the policy's seed in the choice of bytes. */
  readonly corruptSeed: bigint | undefined;
  readonly injectPosition: number;
  readonly injectData: string;
  readonly replaceFind: string;
  readonly replaceWith: string;
  readonly swapPos1: number;
  readonly swapPos2: number;
  readonly minBytes: number;
  readonly maxBytes: number;
  readonly everyNPackets: number;
  readonly dryRun: boolean;
  readonly maxBufferBytes: number;
}

/** When, and how severely, all other fields act. */
export type ScheduleFault = (
  | { readonly kind: "ramp"; readonly rampNs: number }
  | { readonly kind: "spike"; readonly everyNs: number; readonly durationNs: number }
  | { readonly kind: "flapping"; readonly onNs: number; readonly offNs: number }
) & {
  /** What starts the clock: the policy's first application, or each scope. */
  readonly anchor: "process" | "scope";
};

/** Everything that the engine needs of a policy. */
export interface FlowFaults {
  readonly uplink: DirectionFaults;
  readonly downlink: DirectionFaults;
  readonly timeout: TimeoutFault;
  readonly connectionError: ConnectionErrorFault | undefined;
  readonly halfOpen: HalfOpenFault | undefined;
  readonly dns: DnsFault | undefined;
  readonly sessionBudget: BudgetFault | undefined;
  readonly mutation: MutationFault | undefined;
  readonly schedule: ScheduleFault | undefined;
  /** Whether each flow has a link of its own, or all flows of a scope share one per direction. */
  readonly rateShare: "flow" | "scope";
}

/**
 * One recorded decision of the engine on one packet or connect attempt. `fault`, `decision` and the position fields depend on the
 * seed and the flow key only, never on time or chunking; `delayNs` is what the decision costs as far as it is known when it is made.
 */
export interface Decision {
  readonly atNs: number;
  readonly direction: Direction;
  /** Position: see design §7. For connect attempts `exchange` is -1 and `cell` is the number of the attempt; for lookups it is -2, for
   * connections that a scope drops as it begins, -3. */
  readonly exchange: number;
  readonly cell: number;
  readonly split: number;
  /** Bytes of the packet that were known when the decision was made. */
  readonly bytes: number;
  readonly fault: CauseName;
  /** What was decided, e.g. `delay`, `lost x2`, `lost`, `recovered`, `ETIMEDOUT`. Deterministic. */
  readonly decision: string;
  /** Delay that this decision adds, ns; 0 where it adds none; Infinity for an open-ended hold. */
  readonly delayNs: number;
  /** Error code, for decisions that raise one. */
  readonly code?: string | undefined;
}

/** A decision and what it belongs to. `flowHash` names the flow within its scope; the program's side knows what stands behind it. */
export interface FlowEvent extends Decision {
  readonly scope: number;
  readonly flowHash: bigint;
}

export type DecisionSink = (decision: Decision) => void;

/** The 64-bit hash of a flow key and the 64-bit seed: all that randomness depends on besides the position. */
export interface DrawKey {
  readonly seed: bigint;
  readonly flowHash: bigint;
}
