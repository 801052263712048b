/** Listens and dials with `node:net`: slower than Node's handles alone, and the same on every version. */
import { Socket, createServer } from "node:net";
import type { Server, TcpNetConnectOpts } from "node:net";
import { finished } from "node:stream";
import { clearTimeout, setTimeout } from "node:timers";
import type { Endpoint } from "../protocol.ts";
import { FIN, endOf } from "./end.ts";
import { errnoOf } from "../../internal/errnos.ts";
import type { Destination, Dialler, Network, RelaySocket, SocketOwner } from "./socket.ts";
import { BACKLOG, FINISH_WAIT_MS } from "./socket.ts";

const NOTHING = new Uint8Array();
/** Node adds this to the message of an error that the kernel gave at once. */
const UNCONNECTED = / - Local \((.*)\)$/;

class NodeSocket implements RelaySocket {
  owner: SocketOwner | undefined;
  readonly #socket: Socket;

  /** `socket`: paused. */
  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on("data", (chunk: Buffer) => this.owner?.received(this, chunk));
    socket.on("end", () => this.owner?.ended(this, FIN));
    socket.on("drain", () => this.owner?.drained(this));
    socket.on("close", () => this.owner?.closed(this));
  }

  get destroyed(): boolean {
    return this.#socket.destroyed;
  }

  get ended(): boolean {
    return this.#socket.writableEnded;
  }

  get unwritten(): number {
    return this.#socket.writableLength;
  }

  /** From now on, an error is the connection's. */
  opened(): void {
    this.#socket.on("error", ({ errno }: NodeJS.ErrnoException) => this.owner?.ended(this, endOf(errno)));
  }

  localName(): Endpoint {
    const { localAddress, localPort, localFamily } = this.#socket;
    return { address: localAddress ?? "", port: localPort ?? 0, family: localFamily ?? "" };
  }

  remoteName(): Endpoint {
    const { remoteAddress, remotePort, remoteFamily } = this.#socket;
    return { address: remoteAddress ?? "", port: remotePort ?? 0, family: remoteFamily ?? "" };
  }

  setKeepAlive(enable: boolean, delaySeconds: number): void {
    this.#socket.setKeepAlive(enable, delaySeconds * 1000);
  }

  resume(): void {
    this.#socket.resume();
  }

  pause(): void {
    this.#socket.pause();
  }

  write(chunk: Buffer): void {
    if (this.#socket.writable) this.#socket.write(chunk);
  }

  writeAll(chunks: Buffer[]): void {
    this.#socket.cork();
    for (const chunk of chunks) this.write(chunk);
    this.#socket.uncork();
  }

  whenWritten(callback: () => void): void {
    const socket = this.#socket;
    if (socket.destroyed || socket.writableLength === 0) callback();
    else if (socket.writableEnded) finished(socket, { readable: false }, () => callback());
    else socket.write(NOTHING, () => callback());
  }

  end(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.destroySoon();
  }

  reset(): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    if (socket.writableEnded && !socket.writableFinished) {
      const timer = setTimeout(() => socket.destroy(), FINISH_WAIT_MS);
      timer.unref();
      socket.once("finish", () => this.reset());
      socket.once("close", () => clearTimeout(timer));
    } else if (socket.connecting) socket.destroy();
    else socket.resetAndDestroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

export class NodeNetwork implements Network {
  #server: Server | undefined;

  listen(accept: (socket: RelaySocket, remotePort: number | undefined) => void, ready: (port: number) => void): void {
    const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (socket) => {
      const accepted = new NodeSocket(socket);
      accepted.opened();
      accept(accepted, socket.remotePort);
    });
    server.once("error", () => ready(-1));
    server.listen({ port: 0, host: "127.0.0.1", backlog: BACKLOG }, () => {
      server.removeAllListeners("error").on("error", () => {});
      ready((server.address() as { port: number }).port);
    });
    this.#server = server;
  }

  dial({ address, port, family, localAddress, localPort }: Destination, dialler: Dialler): RelaySocket {
    // Made without options: one that is given some takes Node 20 ten times as long.
    const socket = new Socket();
    socket.allowHalfOpen = true;
    socket.setNoDelay(true);
    socket.pause();
    const dialled = new NodeSocket(socket);
    const options: TcpNetConnectOpts = { host: address, port, family, autoSelectFamily: false };
    if (localAddress !== undefined) options.localAddress = localAddress;
    if (localPort !== undefined) options.localPort = localPort;
    const failed = ({ errno, message }: NodeJS.ErrnoException): void =>
      dialler.failed(errno ?? errnoOf("ECONNREFUSED"), UNCONNECTED.exec(message)?.[1]);
    socket.once("error", failed);
    socket.once("connect", () => {
      socket.off("error", failed);
      dialled.opened();
      dialler.connected();
    });
    socket.connect(options);
    return dialled;
  }

  close(): void {
    this.#server?.close();
  }
}
