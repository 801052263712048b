/**
 * One direction of one flow under one binding: what the relay asks how many bytes it may pass on, and when.
 *
 * The way in to the engine, with `connect.ts` for connect attempts. The folder makes pure decisions: time comes in as nanoseconds, randomness
 * from `draw.ts`, and only + − × ÷, floor and comparison take part in a decision, so that it is the same on every platform.
 *
 * Owns: positions of packets, the draws of their verdicts, release times, the count of held bytes.
 * Never: sees a byte, reads a clock, sets a timer, does I/O.
 * Invariants: bytes come out in order, all of them, none before its time, and none twice; `fault`, `decision` and position of every
 * decision depend on the draw key and the conversation only, never on chunking or on when `advance` is called. Time must not run
 * backwards between calls.
 */
import { Draws } from "./draw.ts";
import { drawJitterNs, jitterDecision } from "./faults/jitter.ts";
import { latencyDecision } from "./faults/latency.ts";
import type { LossModel, SeverityAt } from "./faults/loss.ts";
import { lossModel } from "./faults/loss-model.ts";
import { drawExtraCopies, duplicateDecision } from "./faults/packet-duplicate.ts";
import { type Feeder, Link } from "./faults/rate.ts";
import { HeldLane } from "./held-lane.ts";
import type { CopiesOf, FlowFailure, Lane } from "./lane.ts";
import { TcpSender } from "./models/tcp-recovery.ts";
import type { PacketTimes } from "./packet-times.ts";
import { PacedLane } from "./paced-lane.ts";
import { Packets } from "./packets.ts";
import { scaleDirection } from "./faults/schedule.ts";
import { SharedLink } from "./shared-link.ts";
import { WaitingLane } from "./waiting-lane.ts";
import type { DecisionSink, Direction, DirectionFaults, DrawKey } from "./types.ts";

const MSS_BYTES = 1460;
const IDLE_SPLIT_NS = 20e6;

export interface DirectionOptions {
  readonly direction: Direction;
  readonly faults: DirectionFaults;
  readonly key: DrawKey;
  /** Round trip of the whole path, for loss recovery: latency of both directions, mean jitter of both, measured RTT to the real peer. */
  readonly rttNs: number;
  /** How long an acknowledgement travels: latency and mean jitter of the other direction. Default: 0. */
  readonly backNs?: number | undefined;
  /**
   * What a schedule makes of the faults. Latency, jitter, duplicates and reordering of a packet are those of its arrival here; each
   * transmission is lost, and takes the link, as the schedule says at its own time.
   */
  readonly severityAt?: SeverityAt | undefined;
  /** Without one, decisions cost nothing: a lane that treats all packets alike does not even look at them one by one. */
  readonly onDecision?: DecisionSink | undefined;
  /** The transmitter, if several flows share one; its rate and schedule then replace those given here. */
  readonly link?: SharedLink | undefined;
  /** Measures what becomes of the packets. */
  readonly times?: PacketTimes | undefined;
  readonly mss?: number | undefined;
  readonly idleSplitNs?: number | undefined;
}

export class DirectionEngine {
  /** Told of what comes in; whoever passes the bytes on tells it when they leave. */
  readonly times: PacketTimes | undefined;
  readonly #packets: Packets;
  readonly #draws: Draws;
  readonly #lane: Lane;
  readonly #link: Link;
  readonly #feeder: Feeder | undefined;
  readonly #loss: LossModel | undefined;
  /** As written, and as the schedule makes them for the current packet. */
  readonly #faults: DirectionFaults;
  #scaled: DirectionFaults;
  readonly #severityAt: SeverityAt | undefined;
  readonly #backNs: number;
  #severity = 1;
  readonly #onDecision: DecisionSink | undefined;
  /** All packets of one push share one fate and nobody records them: no need to take them apart. */
  readonly #uniform: boolean;
  /** Jitter of the current packet. */
  #jitterNs = 0;
  #heldBytes = 0;
  #closed = false;

  constructor(options: DirectionOptions) {
    const { faults, severityAt, rttNs, times } = options;
    const onDecision = times === undefined ? options.onDecision : marking(times, options.onDecision);
    this.times = times;
    const link = options.link ?? new Link(faults.rateBps, severityAt);
    const draws = new Draws(options.key);
    const loss = lossModel(draws, faults);
    this.#packets = new Packets(options.direction, options.mss ?? MSS_BYTES, options.idleSplitNs ?? IDLE_SPLIT_NS);
    this.#draws = draws;
    this.#link = link;
    this.#loss = loss;
    this.#faults = faults;
    this.#scaled = faults;
    this.#severityAt = severityAt;
    this.#backNs = options.backNs ?? 0;
    this.#onDecision = onDecision;
    const reorder = faults.reorder?.stream === "wait" ? faults.reorder : undefined;
    const paced = loss === undefined && faults.congestion === "none" && reorder === undefined;
    this.#uniform = onDecision === undefined && faults.jitterNs <= 0 && paced && link.unlimited;

    const copiesOf = faults.duplicate && copies(draws, faults, severityAt);
    let lane: Lane;
    if (loss !== undefined && loss.certain(1) && severityAt === undefined) {
      lane = new HeldLane(loss.cause, onDecision);
    } else if (loss !== undefined || faults.congestion !== "none") {
      lane = this.#feeder = new TcpSender({ faults, loss, severityAt, link, copiesOf, rttNs, onDecision });
    } else {
      lane = this.#feeder = new PacedLane(link, copiesOf, onDecision);
    }
    this.#lane = reorder === undefined ? lane : new WaitingLane({ inner: lane, fault: reorder, draws, severityAt, onDecision });
  }

  /** Bytes arrived from the sender. */
  push(bytes: number, nowNs: number): void {
    if (this.#closed) throw new Error("push after end or detach");
    if (bytes <= 0) return;
    this.#heldBytes += bytes;
    const severity = this.#severityAt === undefined ? 1 : this.#severityAt(nowNs);
    // The faults come or go: nothing of what they did to a packet holds for bytes that arrive now.
    let fresh = this.#packets.begin(nowNs, (severity === 0) !== (this.#severity === 0));
    if (fresh) this.#scale(severity);
    if (this.#uniform) {
      this.#packets.takeAll(bytes);
      this.#lane.add(bytes, nowNs, this.#packets, fresh, this.#scaled.latencyNs);
      return;
    }
    for (;;) {
      const taken = this.#packets.take(bytes);
      // A full packet may end with these very bytes: the next one has the severity of its own arrival.
      if (fresh) this.#scale(severity);
      if (fresh) this.times?.begin(this.#packets, nowNs);
      this.times?.take(taken);
      if (fresh) this.#jitterNs = drawJitterNs(this.#draws, this.#packets, this.#scaled.jitterNs);
      this.#lane.add(taken, nowNs, this.#packets, fresh, this.#scaled.latencyNs + this.#jitterNs);
      if (fresh && this.#onDecision !== undefined) this.#report(this.#onDecision, taken, nowNs);
      bytes -= taken;
      if (bytes === 0) return;
      this.#packets.next();
      fresh = true;
    }
  }

  /** Bytes of the other direction were released to this sender: its next push begins a new exchange. */
  peerReleased(nowNs: number): void {
    this.#packets.peerReleased();
    this.#lane.peerReleased(nowNs);
  }

  /** How long after bytes that are released now their sender knows of it. */
  backNs(nowNs: number): number {
    if (this.#severityAt === undefined || this.#backNs === 0) return this.#backNs;
    return this.#backNs * this.#severityAt(nowNs);
  }

  /** The relay reads again after it had stopped: the time in between was not the sender's idleness, so it must not split a packet. */
  resumed(nowNs: number): void {
    this.#packets.resumed(nowNs);
  }

  /** FIN or RST behind everything pushed. It takes latency and jitter like a packet, costs no bytes, and is never lost on its own. */
  end(nowNs: number): void {
    if (this.#closed) throw new Error("end after end or detach");
    this.#closed = true;
    if (this.#packets.beginEnd(nowNs)) {
      if (this.#severityAt !== undefined) this.#scale(this.#severityAt(nowNs));
      this.#jitterNs = drawJitterNs(this.#draws, this.#packets, this.#scaled.jitterNs);
    }
    this.#lane.end(nowNs, this.#scaled.latencyNs + this.#jitterNs);
  }

  /** When `advance()` must be called next; Infinity if nothing is pending. A flow held open-endedly has the time of its failure here. */
  nextAtNs(): number {
    return this.#lane.nextAtNs();
  }

  /** Handles everything due by `nowNs` and returns how many further bytes may be released. Calling it too often does no harm. */
  advance(nowNs: number): number {
    const released = this.#lane.advance(nowNs);
    this.#heldBytes -= released;
    return released;
  }

  /** The end marker was released (all bytes before it were, too). */
  ended(): boolean {
    return this.#lane.ended;
  }

  /** Bytes pushed and not yet released. */
  heldBytes(): number {
    return this.#heldBytes;
  }

  /** True when reading should stop because what was read is held open-endedly. */
  blocked(): boolean {
    return this.#lane.holding;
  }

  /** True when reading should stop for now because an outage of the schedule holds what was read. It ends by itself. */
  stalled(nowNs: number): boolean {
    if (this.#severityAt === undefined || this.#loss === undefined || this.#heldBytes === 0 || this.#closed) return false;
    return this.#loss.certain(this.#severityAt(nowNs));
  }

  /** Set by the `advance()` at which TCP gave up (`tcp_retries2`): the flow must fail. */
  failure(): FlowFailure | undefined {
    return this.#lane.failure;
  }

  /** The scope ended: what is decided keeps its times, open-ended holds end now. No push or end after it; keep advancing until drained. */
  detach(nowNs: number): void {
    this.#closed = true;
    this.#lane.detach(nowNs);
  }

  /** The flow is over: what waits for a shared link never takes it. */
  abandon(): void {
    if (this.#feeder !== undefined && this.#link instanceof SharedLink) this.#link.leave(this.#feeder);
  }

  /** Records kept for held bytes; for tests of bounded memory. */
  entries(): number {
    return this.#lane.entries;
  }

  #scale(severity: number): void {
    if (severity === this.#severity) return;
    this.#severity = severity;
    this.#scaled = scaleDirection(this.#faults, severity);
  }

  #report(onDecision: DecisionSink, bytes: number, nowNs: number): void {
    const { latencyNs, jitterNs, duplicate } = this.#scaled;
    if (latencyNs > 0) onDecision(latencyDecision(this.#packets, nowNs, bytes, latencyNs));
    if (jitterNs > 0) onDecision(jitterDecision(this.#packets, nowNs, bytes, this.#jitterNs));
    const extra = drawExtraCopies(this.#draws, this.#packets, duplicate);
    if (extra > 0) onDecision(duplicateDecision(this.#packets, nowNs, bytes, extra));
  }
}

/** Also tells which packets the decisions are about. */
function marking(times: PacketTimes, onDecision: DecisionSink | undefined): DecisionSink {
  return (decision) => {
    times.mark(decision, decision.fault);
    onDecision?.(decision);
  };
}

/** The copies of a packet are drawn by its place alone: also the bytes that continue it are copied as often. */
function copies(draws: Draws, faults: DirectionFaults, severityAt: SeverityAt | undefined): CopiesOf {
  return (at, nowNs) => {
    const scaled = severityAt === undefined ? faults : scaleDirection(faults, severityAt(nowNs));
    return drawExtraCopies(draws, at, scaled.duplicate);
  };
}
