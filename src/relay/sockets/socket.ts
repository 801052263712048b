/** What the relay needs of TCP: to listen, to dial, and sockets that tell their owner what happens to them. */
import type { Endpoint } from "../protocol.ts";
import type { End } from "./end.ts";

/** Hears of its sockets, and never while it calls one of their methods. */
export interface SocketOwner {
  /** Bytes have come. The chunk may stand in a buffer that is used again (`landing.ts`). */
  received(socket: RelaySocket, chunk: Buffer): void;
  /** Nothing more will come: a FIN, or an error that has closed the socket. */
  ended(socket: RelaySocket, end: End): void;
  /** The kernel has taken bytes that had to wait for it; with `node:net`, all of them. */
  drained(socket: RelaySocket): void;
  /** The socket is gone. */
  closed(socket: RelaySocket): void;
}

/**
 * A connection, half-open if need be, that never delays small writes. It does not read until it is resumed, and is closed by itself when
 * both directions have ended.
 */
export interface RelaySocket {
  owner: SocketOwner | undefined;
  /** It is closed, or about to be. */
  readonly destroyed: boolean;
  /** The last byte was given to it. */
  readonly ended: boolean;
  /** Bytes that it was given and that the kernel has not taken. */
  readonly unwritten: number;
  localName(): Endpoint;
  remoteName(): Endpoint;
  setKeepAlive(enable: boolean, delaySeconds: number): void;
  resume(): void;
  pause(): void;
  write(chunk: Buffer): void;
  /** In one call to the kernel, as far as that can be. */
  writeAll(chunks: Buffer[]): void;
  /** Calls back when the kernel has taken everything, or never will: at once, if that is so already. */
  whenWritten(callback: () => void): void;
  /** Sends a FIN behind everything that was written. */
  end(): void;
  /**
   * Closes as a program does: what was written still leaves, a FIN behind it. The FIN is sent before the socket is closed: a close alone
   * would be a RST if the peer had sent something that is not read yet, which a program that closed before it came has not seen.
   */
  close(): void;
  /** Sends a RST; once it is ended, behind the FIN, for which it waits for a second. */
  reset(): void;
  /** Closes at once. */
  destroy(): void;
}

export interface Destination {
  readonly address: string;
  readonly port: number;
  readonly family: 4 | 6;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
}

/** Hears how a dial comes out. */
export interface Dialler {
  connected(): void;
  /** `unconnected`: what the socket was bound to, where the kernel refused at once to let it connect. */
  failed(errno: number, unconnected: string | undefined): void;
}

export interface Network {
  /**
   * Takes connections on a free port of 127.0.0.1, which `ready` is told; -1 where there is none. Where a connection comes from is not known
   * any more if it was reset before it was accepted.
   */
  listen(accept: (socket: RelaySocket, remotePort: number | undefined) => void, ready: (port: number) => void): void;
  dial(to: Destination, dialler: Dialler): RelaySocket;
  /** Takes no more connections. */
  close(): void;
}

/** Connections that may wait to be accepted. */
export const BACKLOG = 4096;
/** How long a reset waits for a FIN. */
export const FINISH_WAIT_MS = 1000;
