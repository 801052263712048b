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
import type { SeverityAt } from "./faults/loss.ts";
import { lossModel } from "./faults/loss-model.ts";
import { Link } from "./faults/rate.ts";
import { HeldLane } from "./held-lane.ts";
import type { FlowFailure, Lane } from "./lane.ts";
import { TcpSender } from "./models/tcp-recovery.ts";
import { PacedLane } from "./paced-lane.ts";
import { Packets } from "./packets.ts";
import type { DecisionSink, Direction, DirectionFaults, DrawKey } from "./types.ts";

const MSS_BYTES = 1460;
const IDLE_SPLIT_NS = 20e6;

export interface DirectionOptions {
  readonly direction: Direction;
  readonly faults: DirectionFaults;
  readonly key: DrawKey;
  /** Round trip of the whole path, for loss recovery: latency of both directions, mean jitter of both, measured RTT to the real peer. */
  readonly rttNs: number;
  /** What a schedule makes of loss: each transmission is judged at its own time. Latency, jitter and rate are not asked here. */
  readonly severityAt?: SeverityAt | undefined;
  /** Without one, decisions cost nothing: a lane that treats all packets alike does not even look at them one by one. */
  readonly onDecision?: DecisionSink | undefined;
  /** The transmitter, if several flows share one; its rate then replaces `faults.rateBps`. */
  readonly link?: Link | undefined;
  readonly mss?: number | undefined;
  readonly idleSplitNs?: number | undefined;
}

export class DirectionEngine {
  readonly #packets: Packets;
  readonly #draws: Draws;
  readonly #lane: Lane;
  readonly #latencyNs: number;
  readonly #maxJitterNs: number;
  readonly #onDecision: DecisionSink | undefined;
  /** All packets of one push share one fate and nobody records them: no need to take them apart. */
  readonly #uniform: boolean;
  /** Jitter of the current packet. */
  #jitterNs = 0;
  #heldBytes = 0;
  #closed = false;

  constructor(options: DirectionOptions) {
    const { faults, onDecision, severityAt } = options;
    const link = options.link ?? new Link(faults.rateBps);
    this.#packets = new Packets(options.direction, options.mss ?? MSS_BYTES, options.idleSplitNs ?? IDLE_SPLIT_NS);
    this.#draws = new Draws(options.key);
    this.#latencyNs = faults.latencyNs;
    this.#maxJitterNs = faults.jitterNs;
    this.#onDecision = onDecision;
    const loss = lossModel(this.#draws, faults);
    this.#uniform =
      onDecision === undefined && faults.jitterNs <= 0 && loss === undefined && faults.congestion === "none" && link.unlimited;
    if (loss !== undefined && loss.certain(1) && severityAt === undefined) {
      this.#lane = new HeldLane(loss.cause, onDecision);
    } else if (loss !== undefined || faults.congestion !== "none") {
      this.#lane = new TcpSender({ faults, loss, severityAt, link, rttNs: options.rttNs, onDecision });
    } else {
      this.#lane = new PacedLane(faults.latencyNs, link, onDecision);
    }
  }

  /** Bytes arrived from the sender. */
  push(bytes: number, nowNs: number): void {
    if (this.#closed) throw new Error("push after end or detach");
    if (bytes <= 0) return;
    this.#heldBytes += bytes;
    let fresh = this.#packets.begin(nowNs);
    if (this.#uniform) {
      this.#packets.takeAll(bytes);
      this.#lane.add(bytes, nowNs, this.#packets, fresh, 0);
      return;
    }
    for (;;) {
      const taken = this.#packets.take(bytes);
      if (fresh) this.#jitterNs = drawJitterNs(this.#draws, this.#packets, this.#maxJitterNs);
      this.#lane.add(taken, nowNs, this.#packets, fresh, this.#jitterNs);
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

  /** The relay reads again after it had stopped: the time in between was not the sender's idleness, so it must not split a packet. */
  resumed(nowNs: number): void {
    this.#packets.resumed(nowNs);
  }

  /** FIN or RST behind everything pushed. It takes latency and jitter like a packet, costs no bytes, and is never lost on its own. */
  end(nowNs: number): void {
    if (this.#closed) throw new Error("end after end or detach");
    this.#closed = true;
    if (this.#packets.beginEnd(nowNs)) this.#jitterNs = drawJitterNs(this.#draws, this.#packets, this.#maxJitterNs);
    this.#lane.end(nowNs, this.#jitterNs);
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

  /** Set by the `advance()` at which TCP gave up (`tcp_retries2`): the flow must fail. */
  failure(): FlowFailure | undefined {
    return this.#lane.failure;
  }

  /** The scope ended: what is decided keeps its times, open-ended holds end now. No push or end after it; keep advancing until drained. */
  detach(nowNs: number): void {
    this.#closed = true;
    this.#lane.detach(nowNs);
  }

  /** Records kept for held bytes; for tests of bounded memory. */
  entries(): number {
    return this.#lane.entries;
  }

  #report(onDecision: DecisionSink, bytes: number, nowNs: number): void {
    if (this.#latencyNs > 0) onDecision(latencyDecision(this.#packets, nowNs, bytes, this.#latencyNs));
    if (this.#maxJitterNs > 0) onDecision(jitterDecision(this.#packets, nowNs, bytes, this.#jitterNs));
  }
}
