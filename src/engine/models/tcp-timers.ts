/**
 * The round-trip estimate and the timers of a Linux TCP sender: RFC 6298 with Linux's bounds, the probe timeout and the reordering timer
 * of RFC 8985. Linux: RTO = SRTT + max(200 ms, 4·RTTVAR), at most 120 s (link model §1).
 */

const MS_NS = 1e6;
/** Linux TCP_RTO_MIN: the least variance term of an RTO, and what a probe of a lone segment waits for a delayed ACK. */
const RTO_MIN_NS = 200 * MS_NS;
const RTO_MAX_NS = 120_000 * MS_NS;
/** Linux TCP_TIMEOUT_MIN: two ticks; only felt where the round trip is below 1 ms. */
const PROBE_MIN_NS = 2 * MS_NS;
/** Linux TCP_DELACK_MIN. */
export const DELAYED_ACK_NS: number = 40 * MS_NS;
/** `tcp_retries2` = 15 as Linux reckons it, from 200 ms: (2^10 − 1)·0.2 s + 6·120 s. */
export const GIVE_UP_NS: number = 924_600 * MS_NS;

export class TcpTimers {
  /** When each timer fires; Infinity: not armed. */
  reorderAtNs: number = Infinity;
  probeAtNs: number = Infinity;
  rtoAtNs: number = Infinity;
  /** Doublings of the RTO since the last progress. */
  backoffs: number = 0;
  srttNs: number;
  minRttNs: number;
  #rttVarNs: number;

  /** The first sample is the handshake's. */
  constructor(rttNs: number) {
    this.srttNs = rttNs;
    this.minRttNs = rttNs;
    this.#rttVarNs = rttNs / 2;
  }

  sample(rttNs: number): void {
    this.minRttNs = Math.min(this.minRttNs, rttNs);
    this.#rttVarNs += (Math.abs(rttNs - this.srttNs) - this.#rttVarNs) / 4;
    this.srttNs += (rttNs - this.srttNs) / 8;
  }

  rtoNs(): number {
    let rtoNs = this.srttNs + Math.max(RTO_MIN_NS, 4 * this.#rttVarNs);
    for (let i = 0; i < this.backoffs && rtoNs < RTO_MAX_NS; i++) rtoNs *= 2;
    return Math.min(rtoNs, RTO_MAX_NS);
  }

  nextAtNs(): number {
    return Math.min(this.reorderAtNs, this.probeAtNs, this.rtoAtNs);
  }

  get running(): boolean {
    return this.probeAtNs < Infinity || this.rtoAtNs < Infinity;
  }

  armRto(fromNs: number): void {
    this.rtoAtNs = fromNs + this.rtoNs();
  }

  /** The probe never fires later than the RTO, whose place it takes. */
  armProbe(fromNs: number, segmentsOut: number): void {
    const probeNs = Math.max(2 * this.srttNs, PROBE_MIN_NS) + (segmentsOut === 1 ? RTO_MIN_NS : 0);
    this.probeAtNs = Math.min(fromNs + probeNs, this.rtoAtNs);
  }

  stop(): void {
    this.probeAtNs = Infinity;
    this.rtoAtNs = Infinity;
  }
}
