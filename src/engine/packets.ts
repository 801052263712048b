/**
 * Cuts a byte stream into packets at places that depend on the conversation, not on how the kernel cut its chunks (design §7):
 * an exchange begins when the sender starts after bytes of the other direction were released to it, a cell at each multiple of the MSS
 * within the exchange, a split when the sender was idle within a cell.
 *
 * The object itself is the position of the packet that its last bytes belong to.
 */
import type { Position } from "./draw.ts";
import type { Direction } from "./types.ts";

export class Packets implements Position {
  readonly direction: Direction;
  exchange: number = -1;
  cell: number = 0;
  split: number = 0;
  readonly #mss: number;
  readonly #idleSplitNs: number;
  /** Bytes of the current cell that are taken; splits do not reset it, so that later cells stay where they are. */
  #filled = 0;
  #lastNs = 0;
  #peerSpoke = true;

  constructor(direction: Direction, mss: number, idleSplitNs: number) {
    this.direction = direction;
    this.#mss = mss;
    this.#idleSplitNs = idleSplitNs;
  }

  /** The other direction delivered bytes to this sender: what it sends next is a new exchange. */
  peerReleased(): void {
    this.#peerSpoke = true;
  }

  /** The relay had stopped reading until now: the sender was not idle meanwhile, it was not asked. */
  resumed(nowNs: number): void {
    this.#lastNs = nowNs;
  }

  /**
   * The sender sends bytes now. True if they begin a new packet, false if they continue an unfinished one; `cut`: they do not, as if the
   * sender had been idle.
   */
  begin(nowNs: number, cut: boolean = false): boolean {
    const idle = cut || nowNs - this.#lastNs >= this.#idleSplitNs;
    this.#lastNs = nowNs;
    if (this.#beginExchange()) return true;
    if (this.#filled === this.#mss) this.#nextCell(1);
    else if (idle) this.split++;
    else return false;
    return true;
  }

  /** The sender ends now. True if the marker is a packet of its own, false if it rides on the last one. */
  beginEnd(nowNs: number): boolean {
    const idle = nowNs - this.#lastNs >= this.#idleSplitNs;
    return this.#peerSpoke || idle ? this.begin(nowNs) : false;
  }

  /** Takes up to `bytes` for the current packet and returns how many. 0 when its cell is full: then `next()`. */
  take(bytes: number): number {
    const taken = Math.min(bytes, this.#mss - this.#filled);
    this.#filled += taken;
    return taken;
  }

  /** The current cell has no room: what follows is another packet. */
  get full(): boolean {
    return this.#filled === this.#mss;
  }

  next(): void {
    this.#nextCell(1);
  }

  /** The same as `take` and `next` in a loop, for streams whose packets all share one fate. */
  takeAll(bytes: number): void {
    const total = this.#filled + bytes;
    const cells = Math.ceil(total / this.#mss) - 1;
    if (cells > 0) this.#nextCell(cells);
    this.#filled = total - Math.max(cells, 0) * this.#mss;
  }

  #beginExchange(): boolean {
    if (!this.#peerSpoke) return false;
    this.#peerSpoke = false;
    this.exchange++;
    this.cell = 0;
    this.split = 0;
    this.#filled = 0;
    return true;
  }

  #nextCell(count: number): void {
    this.cell += count;
    this.split = 0;
    this.#filled = 0;
  }
}
