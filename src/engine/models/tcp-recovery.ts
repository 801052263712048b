// oxlint-disable max-lines -- the events of a sender call each other: taken apart, each part would only name the others
/**
 * What loss does to a TCP stream: the delay until retransmissions have repaired it (link model §1, Tier A).
 *
 * Owns: one event-driven virtual sender per lossy flow and direction, with scoreboard, RACK and tail loss probe (RFC 8985), RTO with
 * backoff (RFC 6298 with Linux's bounds) and a virtual receiver with delayed acknowledgements. Recovery is an event, not a number drawn
 * on arrival: a packet is rescued by the later packets that arrive, or by a timer, whichever comes first.
 * Never: decides what is lost, which is for `verdicts.ts`. This file says when transmissions happen.
 * Invariants: deliver_i = tx_i + one-way delay of the transmission that gets through; bytes are released in order (head-of-line blocking);
 * every transmission is charged on the link, retransmissions before new data; without a window, what is not serialised yet stays with the
 * sender. With one (`congestion-window.ts`, Tier B), what it does not allow stays with the sender, and the link queues the rest.
 *
 * It is lazy: an event that cannot change the next release is handled when something asks, at its own virtual time.
 */
import type { LossModel, SeverityAt } from "../faults/loss.ts";
import { type Feeder, type Link, rateDecision } from "../faults/rate.ts";
import type { CopiesOf, FlowFailure, Lane } from "../lane.ts";
import type { Position } from "../draw.ts";
import type { DecisionSink, DirectionFaults } from "../types.ts";
import { CongestionWindow } from "./congestion-window.ts";
import { Scoreboard } from "./scoreboard.ts";
import { ACKED, type Segment, UNSENT } from "./segment.ts";
import { Stream } from "./stream.ts";
import { TcpPath } from "./tcp-path.ts";
import { TcpReceiver } from "./tcp-receiver.ts";
import { GIVE_UP_NS, TcpTimers } from "./tcp-timers.ts";
import { Verdicts } from "./verdicts.ts";

export interface SenderOptions {
  readonly faults: DirectionFaults;
  /** Undefined: nothing is lost. */
  readonly loss: LossModel | undefined;
  /** Loss changes with time: each transmission is judged when it leaves, not the packet when it is pushed. */
  readonly severityAt?: SeverityAt | undefined;
  readonly link: Link;
  readonly copiesOf?: CopiesOf | undefined;
  readonly rttNs: number;
  readonly onDecision: DecisionSink | undefined;
}

export class TcpSender implements Lane, Feeder {
  ended: boolean = false;
  readonly holding: boolean = false;
  failure: FlowFailure | undefined = undefined;

  readonly #verdicts: Verdicts;
  readonly #link: Link;
  readonly #copiesOf: CopiesOf | undefined;
  readonly #onDecision: DecisionSink | undefined;
  readonly #timers: TcpTimers;
  readonly #path: TcpPath;
  readonly #receiver = new TcpReceiver();
  readonly #stream = new Stream();
  readonly #board = new Scoreboard(this.#stream);
  /** Undefined: unbounded. */
  readonly #window: CongestionWindow | undefined;
  #end: Segment | undefined;

  /** One tail loss probe per flight: none while the answer to one is out. */
  #probeEnd = 0;
  #probed: Segment | undefined;
  #progressNs = 0;
  /** When the last bit of the last transmission leaves: the sender waits for an answer from then on, not while it still sends. */
  #sentUntilNs = 0;
  #running = false;

  constructor(options: SenderOptions) {
    const { faults } = options;
    this.#verdicts = new Verdicts(options.loss, options.severityAt, options.onDecision);
    this.#link = options.link;
    this.#copiesOf = options.copiesOf;
    this.#onDecision = options.onDecision;
    this.#timers = new TcpTimers(options.rttNs);
    this.#path = new TcpPath(faults.latencyNs, faults.jitterNs, options.rttNs);
    if (faults.congestion !== "none") this.#window = new CongestionWindow(faults.congestion, this.#board, this.#stream);
  }

  get entries(): number {
    return this.#stream.size;
  }

  add(bytes: number, nowNs: number, at: Position, fresh: boolean, delayNs: number): void {
    this.#run(nowNs);
    const last = this.#stream.last;
    if (!fresh && last?.state === UNSENT) {
      last.bytes += bytes;
      return;
    }
    const segment = this.#append(at, bytes, nowNs, !fresh, delayNs);
    if (fresh) this.#verdicts.pushed(segment, nowNs);
    this.#transmitAll(nowNs);
  }

  end(nowNs: number, delayNs: number): void {
    this.#run(nowNs);
    const at = this.#stream.last ?? { direction: 0, exchange: 0, cell: 0, split: 0 };
    this.#end = this.#append(at, 0, nowNs, true, delayNs);
    this.#transmitAll(nowNs);
  }

  peerReleased(nowNs: number): void {
    this.#run(nowNs);
    if (!this.#receiver.owesAck) return;
    this.#acknowledge(nowNs, undefined);
    this.#transmitAll(nowNs);
  }

  advance(nowNs: number): number {
    this.#run(nowNs);
    const released = this.#stream.releaseDue(nowNs);
    if (this.#end !== undefined && this.#stream.unreleased === undefined) this.ended = true;
    return released;
  }

  nextAtNs(): number {
    const head = this.#stream.unreleased;
    if (head === undefined || this.failure !== undefined) return Infinity;
    // A known release cannot be overtaken by anything: what the sender does until then can wait.
    return head.deliverNs < Infinity ? head.deliverNs : this.#nextEventNs();
  }

  /** Nothing is lost any more; what an outage holds leaves now. */
  detach(nowNs: number): void {
    this.#run(nowNs);
    if (this.#verdicts.detach(nowNs)) this.#stream.deliverAll(nowNs);
  }

  #append(at: Position, bytes: number, nowNs: number, partial: boolean, delayNs: number): Segment {
    return this.#stream.append(at, bytes, nowNs, delayNs, partial, partial && !this.#verdicts.timed);
  }

  // ---- events

  #run(nowNs: number): void {
    for (let atNs = this.#nextEventNs(); atNs <= nowNs && this.failure === undefined; atNs = this.#nextEventNs()) this.#handle(atNs);
  }

  /** All but sending, which is under way. */
  #catchUp(nowNs: number): void {
    for (let atNs = this.#nextNewsNs(); atNs <= nowNs && this.failure === undefined; atNs = this.#nextNewsNs()) this.#handle(atNs);
  }

  #nextEventNs(): number {
    if (this.failure !== undefined) return Infinity;
    const sends = (this.#window === undefined || this.#link.shared) && this.#ready() !== undefined;
    return Math.min(this.#nextNewsNs(), sends ? this.#link.opensAtNs : Infinity);
  }

  #nextNewsNs(): number {
    return Math.min(this.#path.nextAtNs(), this.#receiver.delayedAckAtNs, this.#timers.nextAtNs(), this.#givesUpAtNs());
  }

  /** One event at its time. Acknowledgements go first: what arrives together with a timer stops it. */
  #handle(atNs: number): void {
    const arrived = this.#path.takeDue(atNs);
    if (arrived !== undefined) {
      if (this.#receiver.receive(arrived, atNs)) this.#acknowledge(atNs, arrived);
    } else if (this.#receiver.delayedAckAtNs <= atNs) {
      this.#acknowledge(atNs, undefined);
    } else if (this.#timers.reorderAtNs <= atNs) {
      this.#detectLosses(atNs);
      this.#window?.lossesFound();
    } else if (this.#timers.probeAtNs <= atNs) {
      this.#probe(atNs);
    } else if (this.#givesUpAtNs() <= atNs) {
      this.failure = { atNs: this.#givesUpAtNs(), code: "ETIMEDOUT" };
      return;
    } else if (this.#timers.rtoAtNs <= atNs) {
      this.#timeOut(atNs);
    }
    this.#transmitAll(atNs);
  }

  #givesUpAtNs(): number {
    const head = this.#stream.unacked;
    return head === undefined || head.transmissions === 0 ? Infinity : Math.max(head.firstSentNs, this.#progressNs) + GIVE_UP_NS;
  }

  // ---- sending

  #nextToSend(): Segment | undefined {
    return this.#board.nextLost ?? this.#stream.unsent;
  }

  /** The same, where the window lets it go. */
  #ready(): Segment | undefined {
    const segment = this.#nextToSend();
    return segment === undefined || this.#window === undefined || this.#window.open || segment.rider ? segment : undefined;
  }

  /**
   * Everything that may leave now: without a window what the link takes at once; with one, what the window allows, and the link queues it
   * as the bottleneck of a path does. A shared link has its own bound.
   */
  #transmitAll(nowNs: number): void {
    const outer = this.#running;
    this.#running = true;
    if (this.#window === undefined || this.#link.shared) {
      if (this.#ready() !== undefined) this.#link.feed(this, nowNs);
    } else while (this.sendNext(nowNs));
    this.#running = outer;
    this.#window?.sentAll(this.#nextToSend() !== undefined && this.#ready() === undefined);
  }

  /** The link has room: it may be somebody else who found out, at a shared one. */
  sendNext(nowNs: number): boolean {
    if (!this.#running) this.#catchUp(nowNs);
    const segment = this.#ready();
    if (segment === undefined || this.failure !== undefined) return false;
    this.#transmit(segment, nowNs);
    return true;
  }

  #transmit(segment: Segment, nowNs: number): void {
    if (this.#board.out === 0 && !segment.rider) this.#window?.resumed(Math.max(0, nowNs - this.#sentUntilNs), this.#timers.rtoNs(), nowNs);
    const leftNs = this.#link.unlimited ? nowNs : this.#link.send(segment.bytes, nowNs);
    if (segment.transmissions === 0 && !this.#link.unlimited) this.#sendCopies(segment, nowNs);
    const deliverNs = this.#path.deliverNs(leftNs, segment.delayNs);
    const attempt = segment.transmissions++;
    // The wait in a bottleneck's queue is part of the round trip.
    segment.sentNs = this.#window === undefined ? leftNs : nowNs;
    this.#sentUntilNs = leftNs;
    if (attempt === 0) this.#firstTransmission(segment, leftNs, deliverNs);
    if (segment.rider) return;

    this.#window?.sending();
    this.#board.transmitted(segment);
    if (this.#verdicts.passes(segment, attempt, nowNs)) {
      this.#path.carry(segment, deliverNs);
      if (segment.deliverNs === Infinity) {
        segment.deliverNs = deliverNs;
        segment.arrivedSentNs = segment.sentNs;
        this.#verdicts.recovered(segment, nowNs, deliverNs - segment.losslessNs);
      }
    }
    if (attempt === 0 ? !this.#timers.running : segment === this.#stream.unacked) this.#timers.armRto(leftNs);
    if (attempt === 0) this.#armProbe(leftNs);
  }

  /** The receiver throws copies away: they cost what they take of the link. */
  #sendCopies(segment: Segment, nowNs: number): void {
    const copies = this.#copiesOf?.(segment, segment.arrivedNs) ?? 0;
    if (copies > 0) this.#link.send(segment.bytes * copies, nowNs);
  }

  #firstTransmission(segment: Segment, leftNs: number, deliverNs: number): void {
    this.#stream.unsent = segment.next;
    segment.firstSentNs = segment.sentNs;
    segment.losslessNs = deliverNs;
    this.#receiver.expect(segment);
    if (segment.rider) {
      segment.deliverNs = deliverNs;
      segment.state = ACKED;
      this.#stream.advanceUnacked();
      return;
    }
    if (!this.#link.unlimited && !segment.partial) {
      // The wait for the window is not the link's.
      const queuedNs = this.#window === undefined ? segment.arrivedNs : segment.sentNs;
      this.#onDecision?.(rateDecision(segment, segment.arrivedNs, segment.bytes, leftNs - queuedNs));
    }
  }

  // ---- acknowledgements and loss detection

  /** The receiver acknowledges all it has in order and, if `latest` is beyond that, sacks it. */
  #acknowledge(nowNs: number, latest: Segment | undefined): void {
    this.#receiver.acknowledged();
    const news = this.#board.acknowledge(this.#receiver.missing, latest, nowNs);
    if (news.firstRttNs !== undefined) this.#timers.sample(news.firstRttNs);
    if (news.sackRttNs !== undefined) this.#timers.sample(news.sackRttNs);
    if (news.advanced) {
      this.#timers.backoffs = 0;
      this.#progressNs = nowNs;
    }
    // Something was acknowledged: the timers start anew, or rest.
    this.#timers.stop();
    if (this.#board.out > 0) this.#timers.armRto(Math.max(nowNs, this.#sentUntilNs));
    this.#detectLosses(nowNs);
    this.#window?.acknowledged(news, nowNs);
    this.#probeAnswered();
    this.#armProbe(nowNs);
  }

  #detectLosses(nowNs: number): void {
    this.#timers.reorderAtNs = this.#board.detectLosses(nowNs, this.#timers.minRttNs);
  }

  // ---- timers

  /** A tail loss probe takes the place of the RTO as long as nothing seems to be amiss. */
  #armProbe(nowNs: number): void {
    const calm = this.#board.out > 0 && this.#board.sacked === 0 && this.#timers.backoffs === 0 && !this.#board.recovering;
    if (!calm || this.#stream.unackedSequence < this.#probeEnd) return;
    this.#timers.armProbe(Math.max(nowNs, this.#sentUntilNs), this.#board.out);
  }

  #probe(nowNs: number): void {
    this.#timers.stop();
    this.#timers.armRto(nowNs);
    const { unsent } = this.#stream;
    if (unsent === undefined) {
      this.#probed = this.#board.probe();
      if (this.#probed !== undefined) this.#probeEnd = this.#stream.unsentSequence;
    } else if (this.#window !== undefined) {
      this.#transmit(unsent, nowNs);
      this.#probeEnd = this.#stream.unsentSequence;
    }
    // Else new data, the better probe, is on its way as soon as the link takes it.
  }

  /** The flight of a probe has arrived: if the probe was what repaired it, there was a loss. */
  #probeAnswered(): void {
    if (this.#probed === undefined || this.#stream.unackedSequence < this.#probeEnd) return;
    if (this.#probed.failures > 0) this.#window?.probeRepaired();
    this.#probed = undefined;
  }

  #timeOut(nowNs: number): void {
    this.#timers.backoffs++;
    this.#timers.probeAtNs = Infinity;
    this.#board.timeOut(nowNs, this.#timers.srttNs);
    this.#window?.timedOut(this.#timers.backoffs);
    this.#timers.armRto(nowNs);
  }
}
