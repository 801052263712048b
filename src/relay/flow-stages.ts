/**
 * The stages of a flow that see its bytes, `payload_mutation` and the swapping of `packet_reorder`: they stand between the leg and the
 * pipe, which hears of what comes out only.
 *
 * Invariants: bytes leave in the order in which the stages gave them; what a stage holds back leaves before another binding's bytes.
 * Bytes of TLS are never mutated here: the program's side does that to its plaintext.
 */
import type { ByteStage } from "../engine/byte-stage.ts";
import { concat } from "../engine/faults/mutate-bytes.ts";
import { mutates } from "../engine/faults/payload-mutation.ts";
import { MutationStage } from "../engine/mutation-stage.ts";
import { SwapStage } from "../engine/swap-stage.ts";
import type { Direction } from "../engine/types.ts";
import { UPLINK } from "../engine/types.ts";
import type { DeadlineClock, Waiter } from "../internal/deadline-clock.ts";
import type { FlowBinding } from "./binding.ts";
import type { Pipe } from "./pipe.ts";

export class FlowStages implements Waiter {
  heapIndex = -1;
  deadlineNs = 0;
  readonly #direction: Direction;
  readonly #pipe: Pipe;
  readonly #clock: DeadlineClock;
  readonly #isTls: () => boolean;
  #binding: FlowBinding | undefined;
  #mutation: ByteStage | undefined;
  #swap: ByteStage | undefined;

  constructor(direction: Direction, pipe: Pipe, clock: DeadlineClock, isTls: () => boolean) {
    this.#direction = direction;
    this.#pipe = pipe;
    this.#clock = clock;
    this.#isTls = isTls;
  }

  /** Another binding is in force. What the earlier one's stages held back must have left. */
  govern(binding: FlowBinding | undefined): void {
    this.#binding = binding;
    this.#mutation = undefined;
    this.#swap = undefined;
    if (binding === undefined) return;
    const direction = this.#direction;
    const { mutation, uplink, downlink } = binding.policy.faults;
    const { reorder } = direction === UPLINK ? uplink : downlink;
    const common = {
      direction,
      key: binding.key,
      onDecision: binding.record.bind(binding),
      severityAt: binding.severity.constant ? undefined : (nowNs: number) => binding.severity.at(nowNs),
    };
    if (mutates(mutation, direction)) this.#mutation = new MutationStage({ ...common, fault: mutation });
    if (reorder?.stream === "swap" && reorder.ppm > 0) this.#swap = new SwapStage({ ...common, fault: reorder });
  }

  push(chunk: Buffer, nowNs: number): void {
    if (this.#mutation === undefined && this.#swap === undefined) {
      this.#pipe.push(chunk, this.#engine(), nowNs);
      return;
    }
    if (this.#mutation !== undefined && !this.#isTls()) this.#swapped(this.#mutation.push(chunk, nowNs), nowNs);
    else {
      // TLS has begun on a connection that was plain: what was held back comes first.
      if (this.#mutation !== undefined) this.#swapped(this.#mutation.flush(nowNs), nowNs);
      this.#swapped([chunk], nowNs);
    }
    this.#schedule();
  }

  fire(nowNs: number): void {
    if (this.#mutation !== undefined) this.#swapped(this.#mutation.advance(nowNs), nowNs);
    if (this.#swap !== undefined) this.#handOn(this.#swap.advance(nowNs), nowNs);
    this.#schedule();
  }

  /** Nothing follows for now. */
  flush(nowNs: number): void {
    if (this.#mutation !== undefined) this.#swapped(this.#mutation.flush(nowNs), nowNs);
    if (this.#swap !== undefined) this.#handOn(this.#swap.flush(nowNs), nowNs);
    this.#schedule();
  }

  /** The scope has ended: what is held back leaves as it came. */
  release(nowNs: number): void {
    if (this.#mutation !== undefined) this.#swapped(this.#mutation.release(), nowNs);
    if (this.#swap !== undefined) this.#handOn(this.#swap.release(), nowNs);
    this.govern(undefined);
    this.#schedule();
  }

  peerReleased(): void {
    this.#mutation?.peerReleased();
    this.#swap?.peerReleased();
  }

  resumed(nowNs: number): void {
    this.#mutation?.resumed(nowNs);
    this.#swap?.resumed(nowNs);
  }

  destroy(): void {
    this.#clock.cancel(this);
    this.govern(undefined);
  }

  #swapped(pieces: readonly Uint8Array[], nowNs: number): void {
    const swap = this.#swap;
    this.#handOn(swap === undefined ? pieces : pieces.flatMap((piece) => swap.push(piece, nowNs)), nowNs);
  }

  /** In one piece, so that what was one write stays one. */
  #handOn(pieces: readonly Uint8Array[], nowNs: number): void {
    const { buffer, byteOffset, byteLength } = concat(pieces);
    if (byteLength > 0) this.#pipe.push(Buffer.from(buffer, byteOffset, byteLength), this.#engine(), nowNs);
  }

  #engine(): FlowBinding["up"] {
    return this.#direction === UPLINK ? this.#binding?.up : this.#binding?.down;
  }

  #schedule(): void {
    this.#clock.schedule(this, Math.min(this.#mutation?.dueAtNs() ?? Infinity, this.#swap?.dueAtNs() ?? Infinity));
  }
}
