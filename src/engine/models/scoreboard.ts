/**
 * What a virtual sender believes of the segments it sent: in flight, arrived, or lost and waiting for retransmission; with RACK
 * (RFC 8985) to turn the one into the other.
 */
import { Rack } from "./rack.ts";
import { ACKED, Fifo, IN_FLIGHT, LOST, type Segment, SentList } from "./segment.ts";
import type { Stream } from "./stream.ts";

export interface Acknowledgement {
  /** Segments that were not known to have arrived before. */
  readonly delivered: number;
  /** It was a cumulative one. */
  readonly advanced: boolean;
  /** Round trips of the first and the last segment that it covers, and of the one that it sacks. */
  readonly firstRttNs: number | undefined;
  readonly lastRttNs: number | undefined;
  readonly sackRttNs: number | undefined;
}

export class Scoreboard {
  /** Segments that were sent and not acknowledged cumulatively, and those of them that were sacked. */
  out: number = 0;
  sacked: number = 0;
  /** How often a segment was given up for lost so far, and how often one that was a retransmission. */
  lost: number = 0;
  lostAgain: number = 0;
  readonly #stream: Stream;
  readonly #rack = new Rack();
  readonly #sent = new SentList();
  /** In the order in which they were found to be lost; entries that were acknowledged since are stale. */
  readonly #lost = new Fifo<Segment>();
  /** Loss recovery lasts until everything below this sequence is acknowledged. */
  #recoveryEnd = 0;

  constructor(stream: Stream) {
    this.#stream = stream;
  }

  /** Segments believed to be on their way; what the congestion window is compared with. */
  get inFlight(): number {
    return this.#sent.size;
  }

  get recovering(): boolean {
    return this.#stream.unackedSequence < this.#recoveryEnd;
  }

  /** The segment to be retransmitted next. */
  get nextLost(): Segment | undefined {
    while (this.#lost.head !== undefined && this.#lost.head.state !== LOST) this.#lost.drop();
    return this.#lost.head;
  }

  transmitted(segment: Segment): void {
    if (segment.transmissions === 1) this.out++;
    segment.state = IN_FLIGHT;
    this.#sent.append(segment);
  }

  /**
   * An acknowledgement covers everything before `missing` (undefined: all that was sent), and sacks `latest` if that lies behind it. A
   * round trip is that of a segment which was sent once: of one sent twice it could be of either transmission (Karn).
   */
  acknowledge(missing: Segment | undefined, latest: Segment | undefined, nowNs: number): Acknowledgement {
    const before = this.#stream.unacked;
    let delivered = 0;
    let firstRttNs: number | undefined;
    let lastRttNs: number | undefined;
    let sackRttNs: number | undefined;
    for (let segment = before; segment !== undefined && segment !== missing && segment.transmissions > 0; segment = segment.next) {
      if (segment.rider) continue;
      this.out--;
      if (segment.state === ACKED) {
        this.sacked--;
        continue;
      }
      this.#arrived(segment, nowNs);
      delivered++;
      if (segment.transmissions > 1) continue;
      lastRttNs = nowNs - segment.sentNs;
      firstRttNs ??= lastRttNs;
    }
    this.#stream.advanceUnacked();
    if (latest !== undefined && latest.state !== ACKED) {
      if (latest.transmissions === 1) sackRttNs = nowNs - latest.sentNs;
      this.sacked++;
      this.#arrived(latest, nowNs);
      delivered++;
    }
    return { delivered, advanced: this.#stream.unacked !== before, firstRttNs, lastRttNs, sackRttNs };
  }

  /** Gives up for lost what RACK says is lost; returns when to look again. */
  detectLosses(nowNs: number, minRttNs: number): number {
    for (let segment = this.#sent.first; segment !== undefined; segment = this.#sent.first) {
      const lostAtNs = this.#rack.lostAtNs(segment, this.sacked, this.recovering, minRttNs);
      if (lostAtNs > nowNs) return lostAtNs;
      this.#giveUp(segment);
    }
    return Infinity;
  }

  /** The RTO fired: the oldest segment is given up, and with it all that an answer is overdue for. */
  timeOut(nowNs: number, srttNs: number): void {
    const head = this.#stream.unacked!;
    if (head.state === IN_FLIGHT) this.#giveUp(head);
    for (let segment = this.#sent.first; segment !== undefined; segment = this.#sent.first) {
      if (segment.sentNs + srttNs > nowNs) break;
      this.#giveUp(segment);
    }
  }

  /** Queues the last segment of the flight for another transmission, as a probe. Undefined if nothing is in flight. */
  probe(): Segment | undefined {
    const segment = this.#sent.highest();
    if (segment !== undefined) this.#repeat(segment);
    return segment;
  }

  #arrived(segment: Segment, nowNs: number): void {
    if (segment.state === IN_FLIGHT) this.#sent.remove(segment);
    segment.state = ACKED;
    this.#rack.arrived(segment, nowNs);
  }

  #giveUp(segment: Segment): void {
    this.lost++;
    if (segment.transmissions > 1) this.lostAgain++;
    this.#repeat(segment);
    if (!this.recovering) this.#recoveryEnd = this.#stream.unsentSequence;
  }

  #repeat(segment: Segment): void {
    this.#sent.remove(segment);
    segment.state = LOST;
    this.#lost.add(segment);
  }
}
