/** RACK (RFC 8985 §6.2): what was sent before something that has arrived is lost, once the reordering window has passed. */
import type { Segment } from "./segment.ts";

/** Later segments that must have been sacked before reordering is ruled out (the classic three duplicate acknowledgements). */
const DUPLICATE_THRESHOLD = 3;

export class Rack {
  /** The transmission that was sent last among those known to have arrived. */
  #sentNs = -Infinity;
  #sequence = -1;
  #rttNs = 0;

  /** The sender knows which transmission arrived, as TCP timestamps would tell it: a late answer to an earlier one proves nothing more. */
  arrived(segment: Segment, nowNs: number): void {
    const sentNs = segment.arrivedSentNs;
    if (!this.#before(this.#sentNs, this.#sequence, sentNs, segment.sequence)) return;
    this.#sentNs = sentNs;
    this.#sequence = segment.sequence;
    this.#rttNs = nowNs - sentNs;
  }

  /** When `segment` is to be given up for lost; Infinity if nothing sent after it has arrived. */
  lostAtNs(segment: Segment, sacked: number, recovering: boolean, minRttNs: number): number {
    if (!this.#before(segment.sentNs, segment.sequence, this.#sentNs, this.#sequence)) return Infinity;
    const windowNs = sacked >= DUPLICATE_THRESHOLD || recovering ? 0 : minRttNs / 4;
    return segment.sentNs + this.#rttNs + windowNs;
  }

  #before(sentNs: number, sequence: number, thanSentNs: number, thanSequence: number): boolean {
    return sentNs < thanSentNs || (sentNs === thanSentNs && sequence < thanSequence);
  }
}
