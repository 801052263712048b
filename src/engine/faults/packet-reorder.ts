/**
 * `packet_reorder`: a packet that is hit is held where it would have arrived, until `window` later packets of the same flow and direction
 * have arrived before it, or until `maxDelay` is over, whichever comes first. So it is late and nothing else: no packet is lost, none is held
 * for ever, and packets that are not hit keep their times.
 *
 * A later packet that is held itself has not arrived yet: it overtakes nobody until it is let go. What that means for the program is the
 * affair of whoever uses this: datagrams come out of order; bytes of a TCP stream wait for the packet (head-of-line waiting).
 */
import { decisionAt } from "../decisions.ts";
import type { Draws, Position } from "../draw.ts";
import type { Decision, ReorderFault } from "../types.ts";

const CERTAIN_PPM = 1_000_000;

/**
 * Whether the packet at `at` is to be overtaken. At 100 % somebody has to overtake all the same: of each 2 × `window` packets the first half
 * is held back, and the second overtakes it.
 */
export function drawReorder(draws: Draws, at: Position, fault: ReorderFault | undefined): boolean {
  if (fault === undefined) return false;
  if (fault.ppm >= CERTAIN_PPM) return Math.floor(at.cell / fault.window) % 2 === 0;
  return draws.hits(at, "packet_reorder", 0, fault.ppm);
}

/** How long the packet waits is not known yet: at most `maxDelay`, and less if it is overtaken before. */
export function reorderDecision(at: Position, nowNs: number, bytes: number): Decision {
  return decisionAt(at, nowNs, bytes, "packet_reorder", "held back", 0);
}

/** A packet on its way. `sequence` is its place in the order in which packets were sent. */
export interface Sequenced {
  readonly sequence: number;
}

interface Held<T> {
  readonly packet: T;
  /** Later packets that still have to arrive before it. */
  missing: number;
  readonly untilNs: number;
}

/** Gives packets on, in the order in which they really arrive. */
export type Arrive<T> = (packet: T, atNs: number) => void;

/** The packets of one direction that wait to be overtaken. Times must not run backwards between calls. */
export class ReorderHold<T extends Sequenced> {
  readonly #arrive: Arrive<T>;
  /** By `sequence`. */
  readonly #held: Held<T>[] = [];
  /** In the order in which they were held back, which is that of `untilNs` too. Those that are gone are dropped when they come to the front. */
  readonly #deadlines: Held<T>[] = [];

  constructor(arrive: Arrive<T>) {
    this.#arrive = arrive;
  }

  /** How many packets are held back. */
  get length(): number {
    return this.#held.length;
  }

  /** A packet arrives that nothing holds back: it overtakes all held ones that were sent before it. */
  pass(packet: T, atNs: number): void {
    this.#arrive(packet, atNs);
    if (this.#held.length > 0) this.#overtake(packet.sequence, atNs);
  }

  /** A packet would arrive now, and is held back. */
  hold(packet: T, atNs: number, { window, maxDelayNs }: ReorderFault): void {
    const held = { packet, missing: window, untilNs: atNs + maxDelayNs };
    let index = this.#held.length;
    while (index > 0 && this.#held[index - 1]!.packet.sequence > packet.sequence) index--;
    this.#held.splice(index, 0, held);
    this.#deadlines.push(held);
  }

  /** When the next one is let go although too few overtook it; Infinity if there is none. */
  nextAtNs(): number {
    while (this.#deadlines.length > 0 && this.#deadlines[0]!.missing === 0) this.#deadlines.shift();
    return this.#deadlines[0]?.untilNs ?? Infinity;
  }

  /** Lets go what has waited for its longest time by `nowNs`. */
  expire(nowNs: number): void {
    for (let atNs = this.nextAtNs(); atNs <= nowNs; atNs = this.nextAtNs()) this.#release(this.#deadlines[0]!, atNs);
  }

  /** Nothing comes any more that could overtake: lets all go, in the order in which they were sent. */
  flush(nowNs: number): void {
    this.#deadlines.length = 0;
    for (const { packet } of this.#held.splice(0)) this.#arrive(packet, nowNs);
  }

  #release(held: Held<T>, atNs: number): void {
    held.missing = 0;
    this.#held.splice(this.#held.indexOf(held), 1);
    this.pass(held.packet, atNs);
  }

  /** The packet numbered `sequence` has arrived. Who is overtaken often enough arrives too, and so overtakes those before it. */
  #overtake(sequence: number, atNs: number): void {
    for (let index = 0; index < this.#held.length;) {
      const held = this.#held[index]!;
      if (held.packet.sequence > sequence) return;
      held.missing--;
      if (held.missing > 0) {
        index++;
        continue;
      }
      this.#release(held, atNs);
      // Some of those before it may be gone with it.
      index = this.#held.findIndex((other) => other.packet.sequence > held.packet.sequence);
      if (index < 0) return;
    }
  }
}
