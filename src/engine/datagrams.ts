/**
 * One direction of one UDP flow (a socket and a peer) under one binding: which datagrams arrive, when, and how often.
 *
 * The counterpart of `direction.ts`, where packets cannot be lost for good and have no order to keep. Stages, in this order: session budget →
 * payload → duplicate → rate → loss → latency and jitter → reorder. Lost and duplicate datagrams take their time on the link too.
 *
 * Owns: positions, the draws of verdicts, arrival times, the bound of what is on its way. Never: sees a byte (payloads are opaque), reads a
 * clock, sets a timer. Invariants: every copy of every datagram is released once, or reported as lost or dropped; none before its time; without
 * jitter and reordering, in the order in which they were sent; a verdict depends on the draw key and the ordinal of the datagram only (except
 * for what does not fit into the queue). Time must not run backwards between calls.
 */
import { decisionAt } from "./decisions.ts";
import { Draws, type Position } from "./draw.ts";
import { drawJitterNs, jitterDecision } from "./faults/jitter.ts";
import { latencyDecision } from "./faults/latency.ts";
import { droppedDecision, type LossModel } from "./faults/loss.ts";
import { lossModel } from "./faults/loss-model.ts";
import { drawExtraCopies, duplicateDecision } from "./faults/packet-duplicate.ts";
import { drawReorder, reorderDecision, ReorderHold } from "./faults/packet-reorder.ts";
import { Link, rateDecision } from "./faults/rate.ts";
import { faultBit } from "./packet-times.ts";
import { ReleaseHeap, type Timed } from "./release-heap.ts";
import { scaleDirection, Severity } from "./faults/schedule.ts";
import type { Decision, DecisionSink, Direction, DirectionFaults, DrawKey, ReorderFault } from "./types.ts";

/** Small datagrams count as this many bytes of the queue: what a record of them costs. */
const MIN_QUEUED_BYTES = 128;

export interface DatagramOptions {
  readonly direction: Direction;
  readonly faults: DirectionFaults;
  readonly key: DrawKey;
  /** Bytes that may be on their way at once; what comes on top is dropped. Payloads only, at least 128 for each datagram. */
  readonly windowBytes: number;
  /** What a schedule makes of the faults: each datagram is judged at its own time. Default: always as written. */
  readonly severity?: Severity | undefined;
  readonly onDecision?: DecisionSink | undefined;
  /** The transmitter, if several flows share one; its rate then replaces `faults.rateBps`. */
  readonly link?: Link | undefined;
}

/** A datagram that arrives. `copy` 0 is the datagram itself, 1 and up are duplicates of it. */
export interface Arrival<T> {
  readonly payload: T;
  readonly copy: number;
  readonly sentNs: number;
  /** The faults that acted on it, one bit each. */
  readonly faults: number;
}

interface Packet<T> extends Timed, Arrival<T> {
  readonly queuedBytes: number;
  /** Set where the packet is to be overtaken. */
  readonly reorder: ReorderFault | undefined;
}

export class DatagramDirection<T> {
  readonly #options: DatagramOptions;
  readonly #draws: Draws;
  readonly #link: Link;
  readonly #loss: LossModel | undefined;
  readonly #severity: Severity;
  readonly #flying = new ReleaseHeap<Packet<T>>();
  readonly #hold: ReorderHold<Packet<T>>;
  #ordinal = 0;
  #sequence = 0;
  #queuedBytes = 0;
  #detached = false;
  #arrived: Arrival<T>[] = [];

  constructor(options: DatagramOptions) {
    this.#options = options;
    this.#draws = new Draws(options.key);
    this.#loss = lossModel(this.#draws, options.faults);
    const severity = options.severity ?? new Severity(undefined, 0);
    this.#severity = severity;
    this.#link = options.link ?? new Link(options.faults.rateBps, (nowNs) => severity.at(nowNs));
    this.#hold = new ReorderHold((packet) => {
      this.#queuedBytes -= packet.queuedBytes;
      this.#arrived.push(packet);
    });
  }

  /** The position of the next datagram. */
  get position(): Position {
    return { direction: this.#options.direction, exchange: 0, cell: this.#ordinal, split: 0 };
  }

  /** Datagrams on their way, duplicates included. */
  get pending(): number {
    return this.#flying.length + this.#hold.length + this.#arrived.length;
  }

  /** Bytes on their way, as the queue counts them. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** A datagram is lost to something that acts before the network: it counts as one, and costs no bandwidth. */
  skip(): void {
    this.#ordinal++;
  }

  /** A datagram is sent. Ask `advance` for it afterwards: it may arrive at once. */
  push(payload: T, bytes: number, nowNs: number): void {
    if (this.#detached) throw new Error("push after detach");
    const { onDecision } = this.#options;
    const severity = this.#severity.at(nowNs);
    const faults = scaleDirection(this.#options.faults, severity);
    const { position } = this;
    this.#ordinal++;
    const extra = drawExtraCopies(this.#draws, position, faults.duplicate);
    if (extra > 0) onDecision?.(duplicateDecision(position, nowNs, bytes, extra));
    for (let copy = 0; copy <= extra; copy++) {
      this.#send(
        { payload, copy, extra: copy === 0 ? extra : 0, bytes, severity, faults, nowNs },
        copy === 0 ? position : { ...position, split: copy },
      );
    }
  }

  /** When `advance()` must be called next; Infinity if nothing is on its way. */
  nextAtNs(): number {
    // Let go by `detach`: due now.
    if (this.#arrived.length > 0) return -Infinity;
    return Math.min(this.#flying.headNs, this.#hold.nextAtNs());
  }

  /** What has arrived by `nowNs` and was not given out before, in the order in which it arrives. */
  advance(nowNs: number): readonly Arrival<T>[] {
    for (;;) {
      const flyingNs = this.#flying.headNs;
      const heldNs = this.#hold.nextAtNs();
      if (Math.min(flyingNs, heldNs) > nowNs) break;
      if (heldNs < flyingNs) {
        this.#hold.expire(heldNs);
        continue;
      }
      const packet = this.#flying.take();
      if (packet.reorder === undefined || this.#detached) this.#hold.pass(packet, flyingNs);
      else this.#hold.hold(packet, flyingNs, packet.reorder);
    }
    if (this.#arrived.length === 0) return NOTHING;
    const arrived = this.#arrived;
    this.#arrived = [];
    return arrived;
  }

  /**
   * Nothing is sent under this binding any more: what is decided keeps its times, and what waits to be overtaken waits no longer. Keep
   * advancing until nothing is pending.
   */
  detach(nowNs: number): void {
    if (this.#detached) return;
    this.#detached = true;
    this.#hold.flush(nowNs);
  }

  #send(sent: Sent<T>, at: Position): void {
    const { payload, copy, extra, bytes, severity, faults, nowNs } = sent;
    const { windowBytes, onDecision } = this.#options;
    // Judged first and always: what the queue drops depends on timing, and the fate of later datagrams must not.
    const loss = this.#loss;
    const lost = loss !== undefined && loss.lost(at, severity);
    const limited = !this.#link.unlimited && severity > 0;
    const queuedBytes = Math.max(bytes, MIN_QUEUED_BYTES);
    if (this.#queuedBytes + queuedBytes > windowBytes || this.#link.backlogBytes(nowNs) + bytes > windowBytes) {
      onDecision?.(decisionAt(at, nowNs, bytes, limited ? "rate" : "latency", "queue full", 0));
      return;
    }
    let acted = extra > 0 ? faultBit("packet_duplicate") : 0;
    const tell = (decision: Decision): void => {
      acted |= faultBit(decision.fault);
      onDecision?.(decision);
    };
    let leavesNs = nowNs;
    if (limited) {
      leavesNs = this.#link.send(bytes, nowNs);
      tell(rateDecision(at, nowNs, bytes, leavesNs - nowNs));
    }
    if (lost) {
      tell(droppedDecision(at, nowNs, bytes, loss.cause));
      return;
    }
    const jitterNs = drawJitterNs(this.#draws, at, faults.jitterNs);
    if (faults.latencyNs > 0) tell(latencyDecision(at, nowNs, bytes, faults.latencyNs));
    if (faults.jitterNs > 0) tell(jitterDecision(at, nowNs, bytes, jitterNs));
    const reorder = drawReorder(this.#draws, at, faults.reorder) ? faults.reorder : undefined;
    if (reorder !== undefined) tell(reorderDecision(at, nowNs, bytes));
    this.#queuedBytes += queuedBytes;
    const arrivesNs = leavesNs + faults.latencyNs + jitterNs;
    this.#flying.add({ arrivesNs, sequence: this.#sequence++, payload, copy, sentNs: nowNs, faults: acted, queuedBytes, reorder });
  }
}

const NOTHING: readonly never[] = [];

/** One copy of a datagram, and what is in force when it is sent. */
interface Sent<T> {
  readonly payload: T;
  readonly copy: number;
  /** Copies that follow it. */
  readonly extra: number;
  readonly bytes: number;
  readonly severity: number;
  readonly faults: DirectionFaults;
  readonly nowNs: number;
}
