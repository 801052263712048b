/** Requests of an ending process to be told when everything that it wrote has left. */
import { clearInterval, setInterval } from "node:timers";
import type { RelayFlow } from "./flow.ts";
import type { FlushMessage } from "./protocol.ts";

// The kernel does not say when a socket's bytes have gone; only an ending process waits, so looking often costs nobody anything.
const POLL_MS = 2;

export class Flushes {
  readonly #flows: () => Iterable<RelayFlow>;
  readonly #done: (token: number) => void;
  #pending: FlushMessage[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(flows: () => Iterable<RelayFlow>, done: (token: number) => void) {
    this.#flows = flows;
    this.#done = done;
  }

  add(message: FlushMessage): void {
    this.#pending.push(message);
    this.check();
  }

  check(): void {
    this.#pending = this.#pending.filter((flush) => {
      if (!this.#isOver(flush)) return true;
      this.#done(flush.token);
      return false;
    });
    if (this.#pending.length > 0) this.#timer ??= setInterval(() => this.check(), POLL_MS);
    else if (this.#timer !== undefined) {
      clearInterval(this.#timer);
      this.#timer = undefined;
    }
  }

  #isOver({ written }: FlushMessage): boolean {
    const counts = new Map(written);
    for (const flow of this.#flows()) {
      const count = counts.get(flow.dial.flow);
      if (flow.established && (flow.programClosed || count !== undefined) && !isFlushed(flow, count)) return false;
    }
    return true;
  }
}

/** Whether everything that the program wrote has left, or can never leave. `written`: its count, for a socket that is still open. */
function isFlushed(flow: RelayFlow, written: number | undefined): boolean {
  const { peer, uplink } = flow;
  if (flow.failed || peer === undefined || peer.destroyed) return true;
  if (flow.isCutOff()) return !uplink.holdsWithEnd() && peer.unwritten === 0;
  const complete = flow.legClosed || (written === undefined ? flow.legEnded : flow.uplinkBytes >= written);
  if (!complete || uplink.holdsWithEnd() || peer.unwritten > 0) return false;
  return !flow.legEnded || uplink.held > 0 || uplink.isOver();
}
