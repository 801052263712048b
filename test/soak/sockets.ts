/**
 * The sockets that a piece of work opens. Some clients leave a silent connection open for good, once they have given it up: they send a
 * FIN and wait for the peer's, as Node's HTTP/2 does, forget the socket of a connect that took too long, or connect although they were closed
 * meanwhile. On a real network the kernel gives such a connection up after a quarter of an hour; here somebody has to.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { subscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";

export class Sockets {
  readonly #open = new Set<Socket>();
  #over = false;

  opened(socket: Socket): void {
    this.#open.add(socket);
    socket.once("close", () => this.#open.delete(socket));
    if (this.#over) process.nextTick(() => socket.destroy());
  }

  /** These, and those that the work still opens. */
  destroy(): void {
    this.#over = true;
    for (const socket of this.#open) socket.destroy();
  }
}

const current = new AsyncLocalStorage<Sockets | undefined>();

subscribe("net.client.socket", (message) => current.getStore()?.opened((message as { socket: Socket }).socket));

/** Undefined: they are somebody else's. */
export function collecting<T>(sockets: Sockets | undefined, work: () => T): T {
  return current.run(sockets, work);
}
