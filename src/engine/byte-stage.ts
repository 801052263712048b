/**
 * A stage of a stream that sees its bytes: `payload_mutation` and `packet_reorder` with `stream: "swap"`. It stands before the
 * byte-blind rest of the engine, which is told the lengths of what comes out.
 *
 * Like all of the engine it has no clock: who drives it calls `advance` when `dueAtNs` has come.
 */
export interface ByteStage {
  /** Bytes came in. Returns what may go on now. */
  push(chunk: Uint8Array, nowNs: number): Uint8Array[];
  /** What is held back has waited long enough. */
  advance(nowNs: number): Uint8Array[];
  /** When `advance` has something to do; `Infinity`: nothing is held back. */
  dueAtNs(): number;
  /** Nothing follows: what is held back is decided as it stands. */
  flush(nowNs: number): Uint8Array[];
  /** The scope ended: what is held back goes on as it came. */
  release(): Uint8Array[];
  /** Bytes of the other direction were released to this sender. */
  peerReleased(): void;
  /** The relay reads again after it had stopped. */
  resumed(nowNs: number): void;
}

/** A packet that continues within this time is the same one: as in `direction.ts`. */
export const MSS_BYTES = 1460;
export const IDLE_SPLIT_NS: number = 20e6;
