/**
 * `payload_mutation` on the plaintext of one TLS flow under one binding. TLS is made in the program's own thread, so this is the only
 * place where its plaintext can be seen; the relay, which carries the ciphertext, leaves such flows alone.
 *
 * Owns: the stages of both directions, and the time for which they hold bytes back. Never: the socket. Invariants: bytes leave in
 * order, once; a scope that has ended mutates nothing more.
 */
import { mutates } from "../engine/faults/payload-mutation.ts";
import { concat } from "../engine/faults/mutate-bytes.ts";
import { MutationStage } from "../engine/mutation-stage.ts";
import type { Severity } from "../engine/faults/schedule.ts";
import { DOWNLINK, UPLINK } from "../engine/types.ts";
import type { Decision, Direction, DrawKey, MutationFault } from "../engine/types.ts";
import type { DeadlineClock, Waiter } from "../internal/deadline-clock.ts";
import { createWaiter } from "../internal/deadline-clock.ts";

export interface PlaintextBinding {
  readonly fault: MutationFault;
  readonly key: DrawKey;
  readonly severity: Severity;
  readonly clock: DeadlineClock;
  isLive(): boolean;
  record(decision: Decision): void;
}

/** What was held back, when nothing has followed in time. */
export type Later = (bytes: Uint8Array) => void;

interface Side {
  readonly stage: MutationStage | undefined;
  readonly waiter: Waiter;
  later: Later;
}

const nowhere: Later = () => {};

export class PlaintextMutation {
  readonly #binding: PlaintextBinding;
  readonly #sides: readonly [up: Side, down: Side];

  constructor(binding: PlaintextBinding) {
    this.#binding = binding;
    this.#sides = [this.#side(UPLINK), this.#side(DOWNLINK)];
  }

  #side(direction: Direction): Side {
    const { fault, key, severity } = this.#binding;
    const options = {
      direction,
      fault,
      key,
      onDecision: (decision: Decision) => this.#binding.record(decision),
      severityAt: severity.constant ? undefined : (nowNs: number) => severity.at(nowNs),
    };
    const stage = mutates(fault, direction) ? new MutationStage(options) : undefined;
    const side: Side = { stage, later: nowhere, waiter: createWaiter((nowNs) => this.#due(side, nowNs)) };
    return side;
  }

  /** Bytes on their way; returns what may go on now. */
  pass(direction: Direction, bytes: Uint8Array, later: Later): Uint8Array {
    const side = this.#sides[direction];
    const { stage } = side;
    if (bytes.length > 0) this.#sides[direction === UPLINK ? DOWNLINK : UPLINK].stage?.peerReleased();
    if (stage === undefined) return bytes;
    const nowNs = this.#binding.clock.nowNs();
    if (!this.#binding.isLive()) return concat([...this.rest(direction), bytes]);
    side.later = later;
    const out = stage.push(bytes, nowNs);
    this.#schedule(side);
    return concat(out);
  }

  /** Nothing follows: what is held back, decided as it stands. */
  rest(direction: Direction): Uint8Array[] {
    const { stage, waiter } = this.#sides[direction];
    this.#binding.clock.cancel(waiter);
    if (stage === undefined) return [];
    return this.#binding.isLive() ? stage.flush(this.#binding.clock.nowNs()) : stage.release();
  }

  /** The flow is over. */
  stop(): void {
    for (const { waiter } of this.#sides) this.#binding.clock.cancel(waiter);
  }

  #due(side: Side, nowNs: number): void {
    const { stage } = side;
    if (stage === undefined) return;
    const out = concat(this.#binding.isLive() ? stage.advance(nowNs) : stage.release());
    this.#schedule(side);
    if (out.length > 0) side.later(out);
  }

  #schedule({ stage, waiter }: Side): void {
    this.#binding.clock.schedule(waiter, stage?.dueAtNs() ?? Infinity);
  }
}
