/**
 * A lane carries the packets of one direction from "arrived" to "may be released", in order. There are three, and a direction has one:
 * `PacedLane` where nothing can be lost, `TcpSender` where packets are lost and recovered, `HeldLane` where none gets through.
 * `WaitingLane` stands behind one of them where packets are reordered.
 */
import type { Position } from "./draw.ts";

export interface FlowFailure {
  readonly atNs: number;
  readonly code: "ETIMEDOUT";
}

/** How many copies of the packet at `at`, which arrived at `nowNs`, go over the link behind it. */
export type CopiesOf = (at: Position, nowNs: number) => number;

export interface Lane {
  /**
   * Bytes arrived from the sender. `fresh`: they begin the packet at `at`; otherwise they continue it and share its verdict. `delayNs` is
   * the packet's latency and jitter.
   */
  add(bytes: number, nowNs: number, at: Position, fresh: boolean, delayNs: number): void;
  /** The end marker arrived behind them. */
  end(nowNs: number, delayNs: number): void;
  /** Bytes of the other direction reached this sender; they carry an acknowledgement. */
  peerReleased(nowNs: number): void;
  /** Handles what is due and returns how many further bytes may be released. */
  advance(nowNs: number): number;
  /** When `advance` has something to do next; Infinity: not until something else happens. */
  nextAtNs(): number;
  /** The scope ended: open-ended holds end, what is decided stays. */
  detach(nowNs: number): void;
  readonly ended: boolean;
  /** Open-ended hold: no release time exists. */
  readonly holding: boolean;
  readonly failure: FlowFailure | undefined;
  /** Records kept at the moment; for tests of bounded memory. */
  readonly entries: number;
}
