/**
 * Node's TCP handles, which `node:net` is built on. The relay uses them without its sockets and streams: making and closing two of those is
 * most of what a connection would cost it, and each chunk would pass through two of their queues.
 *
 * They are not documented. What is used of them was checked on Node 20, 22, 24 and 26; on any other version, or where Node does not give
 * them away (under its permission model), the relay uses `node:net` (`node-network.ts`).
 */
import { errnoOf } from "../../internal/errnos.ts";
import type { TcpHandleMethods } from "../../internal/tcp-handle.ts";

const CHECKED = new Set([20, 22, 24, 26]);

/** A request to a handle, which it completes by calling back. */
export interface HandleRequest {
  oncomplete?: (status: number) => void;
}

/** What was written, as long as the kernel has not taken all of it. */
interface WriteRequest extends HandleRequest {
  /** Keeps the bytes from the garbage collector. */
  bytes?: unknown;
  /** A write that ended before anybody could listen. */
  writeStatus?: number | null;
}

export interface TcpHandle extends TcpHandleMethods<HandleRequest> {
  onread: () => Uint8Array | undefined;
  onconnection: (status: number, client: TcpHandle | undefined) => void;
  useUserBuffer(buffer: Uint8Array): void;
  readStart(): number;
  readStop(): number;
  writeBuffer(request: WriteRequest | null, chunk: Uint8Array): number | WriteRequest;
  writev(request: WriteRequest | null, chunks: Uint8Array[], allBuffers: true): number | WriteRequest;
  shutdown(request: HandleRequest): number;
  listen(backlog: number): number;
}

interface StreamInternals {
  readonly streamBaseState: Int32Array;
  readonly kReadBytesOrError: number;
  readonly kLastWriteWasAsync: number;
  /** Since Node 24, a write makes its request itself, if it needs one. */
  readonly kLastWriteErr?: number;
  readonly WriteWrap: new () => WriteRequest;
  readonly ShutdownWrap: new () => HandleRequest;
}

interface TcpInternals {
  readonly TCP: new (kind: number) => TcpHandle;
  readonly TCPConnectWrap: new () => HandleRequest;
  readonly constants: { readonly SOCKET: number; readonly SERVER: number };
}

/** The kernel has not taken all bytes at once: `written` is called when it has. */
export const PENDING = 1;
/** What a shutdown returns that was over at once. */
export const DONE_AT_ONCE = 1;
export const EOF: number = errnoOf("EOF");

export class NativeTcp {
  readonly #stream: StreamInternals;
  readonly #tcp: TcpInternals;
  readonly #state: Int32Array;

  constructor(stream: StreamInternals, tcp: TcpInternals) {
    this.#stream = stream;
    this.#tcp = tcp;
    this.#state = stream.streamBaseState;
  }

  socket(): TcpHandle {
    return new this.#tcp.TCP(this.#tcp.constants.SOCKET);
  }

  server(): TcpHandle {
    return new this.#tcp.TCP(this.#tcp.constants.SERVER);
  }

  /** In `onread`: the number of bytes that were read, or a negative errno. */
  readCount(): number {
    return this.#state[this.#stream.kReadBytesOrError] as number;
  }

  /** Begins to connect. Returns an errno, or 0 and calls back. */
  connect(handle: TcpHandle, family: 4 | 6, address: string, port: number, done: (status: number) => void): number {
    const request = new this.#tcp.TCPConnectWrap();
    request.oncomplete = done;
    return family === 6 ? handle.connect6(request, address, port) : handle.connect(request, address, port);
  }

  /** Sends a FIN behind everything. Returns an errno or `DONE_AT_ONCE`, or 0 and calls back. */
  shutdown(handle: TcpHandle, done: () => void): number {
    const request = new this.#stream.ShutdownWrap();
    request.oncomplete = done;
    return handle.shutdown(request);
  }

  /** Writes. Returns 0 when the kernel has taken everything, an errno, or `PENDING` and calls back. */
  write(handle: TcpHandle, bytes: Buffer | Buffer[], written: (status: number) => void): number {
    if (this.#stream.kLastWriteErr !== undefined) return this.#writeAsSince24(handle, bytes, written);
    const request = new this.#stream.WriteWrap();
    request.oncomplete = written;
    const errno = (Array.isArray(bytes) ? handle.writev(request, bytes, true) : handle.writeBuffer(request, bytes)) as number;
    if (errno !== 0 || this.#state[this.#stream.kLastWriteWasAsync] === 0) return errno;
    request.bytes = bytes;
    return PENDING;
  }

  #writeAsSince24(handle: TcpHandle, bytes: Buffer | Buffer[], written: (status: number) => void): number {
    const request = Array.isArray(bytes) ? handle.writev(null, bytes, true) : handle.writeBuffer(null, bytes);
    if (typeof request === "number") return request;
    const errno = this.#state[this.#stream.kLastWriteErr as number] as number;
    if (errno !== 0) return errno;
    const status = request.writeStatus;
    if (typeof status === "number") return status;
    request.oncomplete = written;
    request.bytes = bytes;
    return PENDING;
  }
}

type Binding = (name: "stream_wrap" | "tcp_wrap") => unknown;

/** The handles of this version of Node; undefined where they are not known, or not to be had. */
export function findNativeTcp(): NativeTcp | undefined {
  if (!CHECKED.has(Number.parseInt(process.versions.node, 10))) return undefined;
  const { binding } = process as unknown as { readonly binding?: Binding };
  // With --pending-deprecation it would say that it is deprecated: that is our business, not that of the program's author.
  const isQuiet = process.noDeprecation === true;
  process.noDeprecation = true;
  try {
    const stream = binding?.call(process, "stream_wrap") as StreamInternals | undefined;
    const tcp = binding?.call(process, "tcp_wrap") as TcpInternals | undefined;
    return stream !== undefined && tcp !== undefined && areKnown(stream, tcp) ? new NativeTcp(stream, tcp) : undefined;
  } catch {
    return undefined;
  } finally {
    process.noDeprecation = isQuiet;
  }
}

function areKnown(stream: StreamInternals, { TCP, TCPConnectWrap, constants }: TcpInternals): boolean {
  const { streamBaseState, kReadBytesOrError, kLastWriteWasAsync, WriteWrap, ShutdownWrap } = stream;
  const numbers = [kReadBytesOrError, kLastWriteWasAsync, constants.SOCKET, constants.SERVER];
  const classes = [TCP, TCPConnectWrap, WriteWrap, ShutdownWrap];
  return (
    streamBaseState instanceof Int32Array &&
    numbers.every((number) => typeof number === "number") &&
    classes.every((made) => typeof made === "function") &&
    typeof (TCP.prototype as TcpHandle).useUserBuffer === "function"
  );
}
