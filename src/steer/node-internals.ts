/**
 * The parts of Node that no documented API names: the TCP handle class, the symbol under which a handle knows its socket, the error
 * builders. All of them were checked on Node 20, 22, 24 and 26; `findTcp` says clearly when a future version has none of it.
 */
import net from "node:net";
import util from "node:util";
import { FaultcoreError } from "../errors.ts";
import { errnoOf } from "../internal/errnos.ts";
import { symbolNamed } from "../internal/symbols.ts";
import type { TcpHandleMethods } from "../internal/tcp-handle.ts";

export interface ConnectRequest {
  oncomplete?: ((status: number, handle: TcpHandle, request: ConnectRequest, readable: boolean, writable: boolean) => void) | undefined;
  localAddress?: string;
  /** Node only tests whether it is there: a text, because the port of an unconnected socket is 0. */
  localPort?: number | string;
}

/** A native stream handle, as far as steering touches it. */
export interface StreamHandle {
  readonly bytesRead: number;
  readonly bytesWritten: number;
  onread: ((this: StreamHandle, data: ArrayBuffer | undefined) => unknown) | undefined;
  /** On a TLS wrap: the handle below. */
  readonly _parent?: StreamHandle;
  readonly [owner: symbol]: unknown;
}

export interface TcpHandle extends StreamHandle, TcpHandleMethods<ConnectRequest> {}

export interface TcpClass {
  new (type: number): TcpHandle;
  readonly prototype: TcpHandle;
}

export interface Tcp {
  readonly TCP: TcpClass;
  readonly ownerSymbol: symbol;
}

interface NetInternals {
  /** A handle that is bound and does not listen; a number says why not. */
  _createServerHandle?(address: string, port: number, family: 4): TcpHandle | number;
}

/**
 * The handle class of TCP sockets. A socket that connects would show it too, but tools that watch or mock `connect` would see that one.
 * Nothing is sent; the port is given back in the tick in which it was taken.
 */
export function findTcp(): Tcp {
  const handle = (net as unknown as NetInternals)._createServerHandle?.("127.0.0.1", 0, 4);
  if (typeof handle === "object") {
    // Without `pauseOnCreate` it would begin to read.
    const probe = new net.Socket({ handle, pauseOnCreate: true } as net.SocketConstructorOpts);
    const ownerSymbol = symbolNamed(handle, "owner_symbol");
    const TCP = handle.constructor as TcpClass;
    probe.on("error", () => {});
    probe.destroy();
    if (ownerSymbol !== undefined && typeof TCP.prototype.connect6 === "function") return { TCP, ownerSymbol };
  }
  throw new FaultcoreError(
    "ERR_FAULTCORE_INVALID_USE",
    `Connections cannot be steered in this process (Node ${process.version}): net.Socket does not use the TCP handle that faultcore knows. ` +
      "Another tool may have replaced it: import faultcore first.",
    { expected: "Node 20.19 or later with an unpatched net.Socket" },
  );
}

interface UtilInternals {
  _errnoException(errno: number, syscall: string): NodeJS.ErrnoException;
  _exceptionWithHostPort(errno: number, syscall: string, address: string, port: number, additional?: string): NodeJS.ErrnoException;
}

const internals = util as unknown as UtilInternals;

/** Node's own error for a failed system call. */
export function errnoException(errno: number, syscall: string): NodeJS.ErrnoException {
  return internals._errnoException(errno, syscall);
}

/** Node's own error for a failed connect. */
export function connectException(errno: number, address: string, port: number, additional: string | undefined): NodeJS.ErrnoException {
  return internals._exceptionWithHostPort(errno, "connect", address, port, additional);
}

export const ECONNRESET: number = errnoOf("ECONNRESET");
export const ENOTCONN: number = errnoOf("ENOTCONN");
export const ECANCELED: number = errnoOf("ECANCELED");
export const EINVAL: number = errnoOf("EINVAL");

/** What Node's callback of `getaddrinfo` gets for a failure: these become EAI_AGAIN and ENOTFOUND (libuv's own numbers, the same everywhere). */
export const EAI_AGAIN = -3001;
export const EAI_NONAME = -3008;
