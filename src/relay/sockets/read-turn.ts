/** A socket's turn to read. At full speed it ends after some reads, so that other sockets and deadlines have theirs. */
import { setImmediate } from "node:timers";
import type { Courtesy } from "./courtesy.ts";
import { LANDING_BYTES } from "./landing.ts";
import type { SocketOwner } from "./socket.ts";

/** As long as reads fill the buffer, libuv goes on, up to 32 times: that would keep others waiting for milliseconds. */
const READS_PER_TURN = 4;

export class ReadTurn {
  /** It has read enough for this turn of the loop. */
  isOver = false;
  readonly #courtesy: Courtesy;
  readonly #begin: () => void;
  #fullReads = 0;

  /** `begin`: its next turn has come. */
  constructor(courtesy: Courtesy, begin: () => void) {
    this.#courtesy = courtesy;
    this.#begin = begin;
  }

  /** So many bytes were read. */
  noteRead(owner: SocketOwner, bytes: number): void {
    this.#courtesy.noteRead(owner, bytes);
    this.#fullReads = bytes >= LANDING_BYTES ? this.#fullReads + 1 : 0;
    if (this.#fullReads === 0) return;
    const givesWay = this.#courtesy.isDue();
    if (givesWay || this.#fullReads >= READS_PER_TURN) this.#end(givesWay);
  }

  #end(givesWay: boolean): void {
    this.#fullReads = 0;
    this.isOver = true;
    setImmediate(() => {
      this.isOver = false;
      if (givesWay) this.#courtesy.giveWay();
      this.#begin();
    });
  }
}
