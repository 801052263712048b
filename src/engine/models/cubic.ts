/**
 * `congestion: cubic` (RFC 9438): the window grows as C·(t − K)³ around the one at which the last loss happened, and never slower than
 * Reno would. As in Linux: β = 0.7, C = 0.4, windows are whole segments, the Reno-friendly share stays at α = 3(1−β)/(1+β), slow start
 * ends by HyStart.
 */
import { HyStart } from "./hystart.ts";
import { additiveIncrease, type CongestionControl, type GrowingWindow, slowStart } from "./window-growth.ts";

const S_NS = 1e9;
const BETA = 0.7;
const C = 0.4;
/** Acknowledged windows per segment that a Reno which halves by β may grow: 1/α. */
const FRIENDLY_ROUNDS = (1 + BETA) / (3 * (1 - BETA));
/** As long as no loss was seen, 5 % per round trip at least; at most half of the window. */
const FIRST_PER_SEGMENT = 20;
const LEAST_PER_SEGMENT = 2;
/** Where the curve says that the window is large enough. */
const PLATEAU_ROUNDS = 100;

export class Cubic implements CongestionControl {
  /** The window before the last reduction; 0: none yet. */
  #maxCwnd = 0;
  /** When the present growth began; undefined until the first acknowledgement after a reduction. */
  #epochNs: number | undefined;
  /** Where the curve is flat: the time since the epoch, and the window. */
  #flatS = 0;
  #flatCwnd = 0;
  /** What Reno would have. */
  #friendlyCwnd = 0;
  #friendlyCredit = 0;
  #minRttNs = Infinity;
  #hyStart: HyStart | undefined = new HyStart();

  sample(window: GrowingWindow, rttNs: number, nowNs: number, unacked: number, unsent: number): void {
    // Samples from right after a recovery say more about the recovery than about the path.
    if (this.#epochNs !== undefined && nowNs - this.#epochNs < S_NS) return;
    this.#minRttNs = Math.min(this.#minRttNs, rttNs);
    if (this.#hyStart === undefined || window.cwnd >= window.ssthresh) return;
    if (!this.#hyStart.sample(window.cwnd, rttNs, this.#minRttNs, nowNs, unacked, unsent)) return;
    window.ssthresh = window.cwnd;
    this.#hyStart = undefined;
  }

  grow(window: GrowingWindow, acked: number, nowNs: number): void {
    const left = window.cwnd < window.ssthresh ? slowStart(window, acked) : acked;
    if (left > 0) additiveIncrease(window, left, this.#perSegment(window.cwnd, left, nowNs));
  }

  reduced(cwnd: number): number {
    this.#epochNs = undefined;
    // Fast convergence: a window that did not reach the former one leaves room for others.
    this.#maxCwnd = cwnd < this.#maxCwnd ? Math.floor((cwnd * (1 + BETA)) / 2) : cwnd;
    return Math.max(Math.floor(cwnd * BETA), 2);
  }

  timedOut(): void {
    this.#epochNs = undefined;
    this.#maxCwnd = 0;
    this.#minRttNs = Infinity;
    this.#hyStart = new HyStart();
  }

  resumed(idleNs: number, nowNs: number): void {
    if (this.#epochNs !== undefined) this.#epochNs = Math.min(this.#epochNs + idleNs, nowNs);
  }

  /** How many acknowledged segments are worth one more. */
  #perSegment(cwnd: number, acked: number, nowNs: number): number {
    if (this.#epochNs === undefined) this.#begin(cwnd, nowNs);
    const aheadNs = this.#minRttNs < Infinity ? this.#minRttNs : 0;
    const s = (nowNs + aheadNs - this.#epochNs!) / S_NS - this.#flatS;
    const target = this.#flatCwnd + Math.trunc(C * s * s * s);
    let perSegment = target > cwnd ? Math.floor(cwnd / (target - cwnd)) : PLATEAU_ROUNDS * cwnd;
    if (this.#maxCwnd === 0) perSegment = Math.min(perSegment, FIRST_PER_SEGMENT);
    this.#friendlyCredit += acked;
    const rounds = cwnd * FRIENDLY_ROUNDS;
    for (; this.#friendlyCredit > rounds; this.#friendlyCredit -= rounds) this.#friendlyCwnd++;
    if (this.#friendlyCwnd > cwnd) perSegment = Math.min(perSegment, Math.floor(cwnd / (this.#friendlyCwnd - cwnd)));
    return Math.max(perSegment, LEAST_PER_SEGMENT);
  }

  #begin(cwnd: number, nowNs: number): void {
    this.#epochNs = nowNs;
    this.#friendlyCredit = 0;
    this.#friendlyCwnd = cwnd;
    this.#flatCwnd = Math.max(this.#maxCwnd, cwnd);
    this.#flatS = cubeRoot((this.#flatCwnd - cwnd) / C);
  }
}

/** By Newton's method: only operations that give the same result on every platform. */
export function cubeRoot(value: number): number {
  if (value <= 0) return 0;
  let root = Math.max(value, 1);
  for (let next = root; ; root = next) {
    next = (2 * root + value / (root * root)) / 3;
    if (next >= root) return root;
  }
}
