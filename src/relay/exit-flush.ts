/** The end of the process: what the program wrote leaves the relay as it would have left the kernel. */
import type { FlowClient } from "./flow-client.ts";
import type { RelayHost } from "./host.ts";

/** How long `process.exit()` waits for what the program wrote. */
const EXIT_FLUSH_MS = 200;

export class ExitFlush {
  readonly #host: RelayHost;
  readonly #flows: ReadonlyMap<number, FlowClient>;
  #token = 0;
  #held = false;
  /** What had been written at the last flush: `beforeExit` comes again after each. */
  #state = "";

  constructor(host: RelayHost, flows: ReadonlyMap<number, FlowClient>) {
    this.#host = host;
    this.#flows = flows;
  }

  /** The event loop is empty: keeps the process until everything that the program wrote has left. */
  holdProcess(): void {
    if (this.#held || !this.#host.running) return;
    // Closed ones have kept the process by themselves until now.
    const open = [...this.#flows.values()].filter(({ closed, settled, request }) => !closed && settled && request.bytesWritten() > 0);
    const state = open.map(({ id, request }) => `${id}:${request.bytesWritten()}`).join();
    if (state === this.#state) return;
    this.#state = state;
    this.#held = true;
    this.#host.hold();
    this.#request();
  }

  /** `process.exit()`: waits, for a bounded time, until everything that the program wrote has left. */
  block(): void {
    if (!this.#host.running || this.#flows.size === 0) return;
    this.#host.waitFlushed(this.#request(), EXIT_FLUSH_MS);
  }

  /** The relay has said that a flush is over. */
  flushed(token: number): void {
    if (token === this.#token) this.release();
  }

  /** The process is no longer kept. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#host.drop();
  }

  #request(): number {
    const token = ++this.#token;
    const written: [number, number][] = [];
    for (const flow of this.#flows.values()) if (!flow.closed && flow.settled) written.push([flow.id, flow.request.bytesWritten()]);
    this.#host.post({ type: "flush", token, written });
    return token;
  }
}
