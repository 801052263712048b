/**
 * The relay's thread, seen from the program's: started when it is needed, replaced when it died.
 *
 * Invariants: the thread keeps the process alive only while somebody holds it (`hold`); a relay that dies is reported to every flow
 * that it carried, and the next use starts a fresh one.
 */
import { MessageChannel, Worker, receiveMessageOnPort } from "node:worker_threads";
import type { MessagePort } from "node:worker_threads";
import { clockNs } from "../internal/clock.ts";
import { packageFile } from "../internal/package-files.ts";
import { sleep } from "../internal/sleep.ts";
import { FaultcoreError } from "../errors.ts";
import type { PolicyTable } from "../table/table.ts";
import { CONTROL } from "./protocol.ts";
import type { FromRelay, RelayInit, ToRelay } from "./protocol.ts";

const START_WAIT_MS = 10_000;

export interface RelayOptions {
  readonly windowBytes: number;
  readonly precision: "normal" | "fine";
}

export interface RelayListener {
  message(message: FromRelay): void;
  /** The relay is gone: everything that it carried is lost. */
  died(cause: Error | undefined): void;
}

export class RelayHost {
  readonly #table: PolicyTable;
  readonly #options: RelayOptions;
  readonly #listener: RelayListener;
  #worker: Worker | undefined;
  #port: MessagePort | undefined;
  #control: Int32Array = new Int32Array(0);
  #holders = 0;
  #cause: Error | undefined;

  constructor(table: PolicyTable, options: RelayOptions, listener: RelayListener) {
    this.#table = table;
    this.#options = options;
    this.#listener = listener;
  }

  /** Starts the thread, if there is none, without waiting for it. */
  start(): void {
    if (this.#worker !== undefined) return;
    const control = new SharedArrayBuffer(CONTROL.words * 4);
    this.#control = new Int32Array(control);
    this.#cause = undefined;
    // A channel of our own, because only from such a port messages can be taken in ahead of the event loop (`drain`).
    const { port1, port2 } = new MessageChannel();
    const init: RelayInit = { table: this.#table.buffer, control, port: port2, ...this.#options };
    let worker: Worker;
    try {
      // The program's own --import and --require must not run in the relay: hence an empty NODE_OPTIONS and no execArgv.
      worker = new Worker(packageFile("relay/worker.js"), {
        name: "faultcore-relay",
        workerData: init,
        transferList: [port2],
        execArgv: [],
        env: { NODE_OPTIONS: "" },
        stdin: false,
      });
    } catch (cause) {
      throw new FaultcoreError(
        "ERR_FAULTCORE_RELAY",
        "The relay's worker thread cannot be started. Under node --permission, allow it with --allow-worker.",
        { cause, expected: "a process that may start worker threads" },
      );
    }
    this.#worker = worker;
    this.#port = port1;
    this.#table.noteRelay(worker.threadId);
    port1.on("message", (message: FromRelay) => {
      if (port1 === this.#port) this.#listener.message(message);
    });
    // Listening on a port holds the process; whether the relay does is for `hold` to say.
    port1.unref();
    worker.on("error", (cause: Error) => {
      this.#cause = cause;
    });
    worker.on("exit", () => this.#exited(worker));
    if (this.#holders === 0) worker.unref();
  }

  /** The relay's port. Starts the relay and waits for it: 40–100 ms, once. */
  port(): number {
    this.start();
    const known = Atomics.load(this.#control, CONTROL.port);
    if (known > 0) return known;
    Atomics.wait(this.#control, CONTROL.port, 0, START_WAIT_MS);
    const port = Atomics.load(this.#control, CONTROL.port);
    if (port > 0) return port;
    throw new FaultcoreError("ERR_FAULTCORE_RELAY", "The relay's worker thread did not open its port on 127.0.0.1 within 10 s.", {
      cause: this.#cause,
      expected: "a free port on 127.0.0.1",
    });
  }

  post(message: ToRelay): void {
    this.#port?.postMessage(message);
  }

  get running(): boolean {
    return this.#worker !== undefined;
  }

  /** Tells the relay whether somebody listens to every event. */
  setHeard(heard: boolean): void {
    Atomics.store(this.#control, CONTROL.heard, heard ? 1 : 0);
  }

  /** Legs that the relay has accepted since it was started. */
  accepted(): number {
    return Atomics.load(this.#control, CONTROL.accepted);
  }

  wantAccepted(wanted: boolean): void {
    Atomics.store(this.#control, CONTROL.wantsAccepted, wanted ? 1 : 0);
  }

  /** Token of the latest flush that is over. */
  flushed(): number {
    return this.#worker === undefined ? Infinity : Atomics.load(this.#control, CONTROL.flushed);
  }

  /** Blocks until this flush is over or the time is up. */
  waitFlushed(token: number, timeoutMs: number): boolean {
    const until = clockNs() + timeoutMs * 1e6;
    for (;;) {
      const done = this.flushed();
      if (done >= token) return true;
      const left = (until - clockNs()) / 1e6;
      if (left <= 0) return false;
      Atomics.wait(this.#control, CONTROL.flushed, done, left);
    }
  }

  /** Takes in everything that the relay has said so far, now instead of when the event loop comes round. */
  drain(): void {
    const port = this.#port;
    if (port === undefined) return;
    for (let next = receiveMessageOnPort(port); next !== undefined; next = receiveMessageOnPort(port)) {
      this.#listener.message(next.message as FromRelay);
    }
  }

  /** Takes in what the relay says until the condition holds or the time is up. Blocks the thread meanwhile. */
  drainUntil(condition: () => boolean, timeoutMs: number): void {
    const until = clockNs() + timeoutMs * 1e6;
    for (;;) {
      this.drain();
      if (condition() || clockNs() >= until) return;
      sleep(1);
    }
  }

  /** Keeps the process alive until as many `drop`s. */
  hold(): void {
    if (this.#holders++ === 0) this.#worker?.ref();
  }

  drop(): void {
    if (--this.#holders === 0) this.#worker?.unref();
  }

  /** Ends the thread. What it carried is lost. */
  async stop(): Promise<void> {
    await this.#worker?.terminate();
  }

  #exited(worker: Worker): void {
    if (worker !== this.#worker) return;
    this.drain();
    this.#worker = undefined;
    this.#port?.close();
    this.#port = undefined;
    this.#listener.died(this.#cause);
  }
}
