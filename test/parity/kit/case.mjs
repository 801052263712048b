// What a case works with: watched sockets, fresh servers, and waiting that never hangs.
import net from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { addressesOf, describeError, stateOf } from "./describe.mjs";
import { Trace } from "./trace.mjs";

/** Nothing listens on the first port of a healthy machine, and no ephemeral port can take it in the middle of a run. */
export const closedPort = 1;

export class Skip extends Error {}

export class Case {
  trace = new Trace();
  #open = new Set();
  #received = new WeakMap();
  #cleanups = [];
  #accepted = new Set();

  log(actor, event, detail) {
    this.trace.add(actor, event, detail);
  }

  logError(actor, event, error) {
    this.log(actor, event, describeError(error));
  }

  skip(reason) {
    throw new Skip(reason);
  }

  cleanup(fn) {
    this.#cleanups.push(fn);
  }

  sleep(ms) {
    return sleep(ms);
  }

  /** For what has no event of its own; goes on after a while in any case, and the trace shows what was missing. */
  async until(condition, limitMs = 1000) {
    const deadline = Date.now() + limitMs;
    while (!condition() && Date.now() < deadline) await sleep(5);
  }

  /** The arguments of the next such event; never rejects, unlike `events.once`. */
  event(emitter, name) {
    return new Promise((resolve) => emitter.once(name, (...args) => resolve(args)));
  }

  /** Until a watched socket has emitted close; its `closed` property is true a tick earlier. */
  closed(socket) {
    return this.#open.has(socket) ? this.event(socket, "close") : Promise.resolve();
  }

  /** Logs what `fn` throws, or that it returned. */
  attempt(actor, label, fn) {
    try {
      const result = fn();
      this.log(actor, `${label} returned`);
      return result;
    } catch (error) {
      this.logError(actor, `${label} threw`, error);
      return undefined;
    }
  }

  /**
   * Logs everything that a socket shows. `data: false` leaves reading to somebody else; `bytes: false` leaves out counts, which
   * vary where TLS is on top; `ends: false` leaves out the end of the stream, which HTTP races against closing by itself; write-side events go to an actor of their own because they race with what the peer sends.
   */
  watch(socket, actor, { data = true, bytes = true, addresses = true, ends = true } = {}) {
    const state = () => stateOf(socket, { bytes, ends });
    this.#open.add(socket);
    this.#received.set(socket, 0);
    const on = (event, describe) => socket.on(event, (...args) => this.log(actor, event, describe?.(...args)));
    on("lookup", (error, address, family, host) => ({ error: error ? describeError(error) : null, address, family, host }));
    on("connectionAttempt", (ip, port, family) => ({ ip, port, family }));
    on("connectionAttemptFailed", (ip, port, family, error) => ({ ip, port, family, error: describeError(error) }));
    on("connectionAttemptTimeout", (ip, port, family) => ({ ip, port, family }));
    socket.on("connect", () => {
      this.#open.add(socket); // A socket may connect again after it closed.
      if (addresses) {
        this.trace.namePort(socket.localPort, `port of ${actor}`);
        this.log(actor, "connect", { ...addressesOf(socket), ...state() });
      } else this.log(actor, "connect", state());
    });
    on("ready");
    on("secureConnect");
    on("timeout");
    if (ends) on("end");
    socket.on("drain", () => this.log(`${actor}, writing`, "drain"));
    socket.on("finish", () => this.log(`${actor}, writing`, "finish"));
    on("error", (error) => describeError(error));
    socket.on("close", (hadError) => {
      this.log(actor, "close", { hadError, ...state() });
      this.#open.delete(socket);
    });
    if (data) {
      socket.on("data", (chunk) => {
        this.trace.addData(actor, chunk);
        this.#received.set(socket, this.#received.get(socket) + chunk.length);
      });
    }
    return socket;
  }

  /** Waits until a watched socket delivered that many bytes, or closed. */
  async received(socket, length) {
    while (this.#received.get(socket) < length && this.#open.has(socket)) {
      await new Promise((resolve) => {
        const done = () => {
          socket.off("data", done).off("close", done);
          resolve();
        };
        socket.on("data", done).on("close", done);
      });
    }
  }

  /** A server whose accepted sockets are watched as "server", "server 2" … */
  async listen(onSocket = () => {}, { host = "127.0.0.1", port = 0, name = "server", watch = {}, ...options } = {}) {
    const sockets = [];
    const waiting = [];
    const server = net.createServer(options, (socket) => {
      const actor = sockets.length === 0 ? name : `${name} ${sockets.length + 1}`;
      this.watch(socket, actor, watch);
      this.log(actor, "accepted", addressesOf(socket));
      sockets.push(socket);
      onSocket(socket, sockets.length - 1);
      while (waiting.length > 0 && waiting[0].index < sockets.length) {
        const { resolve, index } = waiting.shift();
        resolve(sockets[index]);
      }
    });
    await this.serve(server, { host, port, name });
    const socket = (index = 0) =>
      index < sockets.length ? Promise.resolve(sockets[index]) : new Promise((resolve) => waiting.push({ resolve, index }));
    return { server, sockets, socket, port: server.address().port };
  }

  /** Makes any server of Node's listen, names its port and closes it after the case. */
  async serve(server, { host = "127.0.0.1", port = 0, name = "server" } = {}) {
    const listening = new Promise((resolve, reject) => server.once("listening", resolve).once("error", reject));
    server.listen(port, host);
    try {
      await listening;
    } catch (error) {
      this.skip(`cannot listen on ${host}: ${error.code}`);
    }
    this.trace.namePort(server.address().port, `port of ${name}`);
    server.on("connection", (socket) => {
      this.#accepted.add(socket);
      socket.on("close", () => this.#accepted.delete(socket));
    });
    this.cleanup(() => new Promise((resolve) => server.close(resolve)));
    return server.address().port;
  }

  echo(options) {
    return this.listen((socket) => socket.pipe(socket), options);
  }

  /** Sends, waits for as many bytes back, and ends. */
  async talk(socket, text = "hello") {
    socket.write(text);
    await this.received(socket, Buffer.byteLength(text));
    socket.end();
  }

  async allClosed() {
    for (const socket of this.#open) await this.closed(socket);
  }

  /** What servers see of the end comes later than what clients see of it; a connection that is kept open is not waited for long. */
  async quiet() {
    const deadline = Date.now() + 200;
    while (this.#accepted.size > 0 && Date.now() < deadline) await sleep(5);
    await sleep(2);
  }

  async dispose() {
    for (const socket of [...this.#open, ...this.#accepted]) socket.on("error", () => {}).destroy();
    for (const cleanup of this.#cleanups.reverse()) await cleanup();
  }
}
