/**
 * A connection over Node's TCP handle alone.
 *
 * Owns: the handle, what was written and the kernel has not taken. Never: streams, events, names of hosts. Invariants: one write at a time
 * is with the kernel, so that what waits behind it leaves in one; the owner hears nothing from within its own calls; a FIN is asked for
 * once, and a handle closed once: while a FIN is on its way to the kernel, Node refuses to reset, and leaks the descriptor.
 */
import { clearTimeout, setTimeout } from "node:timers";
import type { Endpoint } from "../protocol.ts";
import type { Courtesy } from "./courtesy.ts";
import { FIN, endOf } from "./end.ts";
import { errnoOf } from "../../internal/errnos.ts";
import type { SocketName } from "../../internal/tcp-handle.ts";
import type { Landing } from "./landing.ts";
import { DONE_AT_ONCE, EOF, PENDING } from "./native-tcp.ts";
import type { NativeTcp, TcpHandle } from "./native-tcp.ts";
import { ReadTurn } from "./read-turn.ts";
import type { RelaySocket, SocketOwner } from "./socket.ts";
import { FINISH_WAIT_MS } from "./socket.ts";

const ENOTCONN = errnoOf("ENOTCONN");

export interface NativeSocketOptions {
  readonly tcp: NativeTcp;
  readonly handle: TcpHandle;
  readonly landing: Landing;
  readonly courtesy: Courtesy;
  readonly connected: boolean;
}

export class NativeSocket implements RelaySocket {
  owner: SocketOwner | undefined;
  destroyed = false;
  ended = false;
  unwritten = 0;
  readonly #tcp: NativeTcp;
  readonly #handle: TcpHandle;
  readonly #landing: Landing;
  readonly #turn: ReadTurn;
  #connected: boolean;
  /** Where the next read lands. */
  #buffer: Buffer;
  #wantsReads = false;
  #reading = false;
  /** Nothing more will come. */
  #readEnded = false;
  /** A read is being handed on. */
  #isLanding = false;
  /** Bytes of the write that the kernel has not taken all of, and what was written since. */
  #writing = 0;
  #waiting: Buffer[] = [];
  #whenWritten: (() => void)[] | undefined;
  #finAsked = false;
  #finished = false;
  #whenFinished: "close" | "reset" | undefined;
  #finTimer: NodeJS.Timeout | undefined;
  readonly #take = (chunk: Buffer): void => this.owner?.received(this, chunk);
  readonly #written = (status: number): void => this.#writeIsOver(status);

  constructor({ tcp, handle, landing, courtesy, connected }: NativeSocketOptions) {
    this.#tcp = tcp;
    this.#handle = handle;
    this.#landing = landing;
    this.#turn = new ReadTurn(courtesy, () => this.#startReading());
    this.#buffer = landing.shared;
    this.#connected = connected;
    handle.setNoDelay(true);
    handle.useUserBuffer(this.#buffer);
    handle.onread = () => this.#read();
  }

  /** The dial has come out. */
  opened(): void {
    this.#connected = true;
    this.#startReading();
    this.#sendFin();
  }

  localName(): Endpoint {
    const name: SocketName = {};
    this.#handle.getsockname(name);
    return endpoint(name);
  }

  remoteName(): Endpoint {
    const name: SocketName = {};
    this.#handle.getpeername(name);
    return endpoint(name);
  }

  setKeepAlive(enable: boolean, delaySeconds: number): void {
    if (!this.destroyed) this.#handle.setKeepAlive(enable, delaySeconds);
  }

  // ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  resume(): void {
    this.#wantsReads = true;
    this.#startReading();
  }

  pause(): void {
    this.#wantsReads = false;
    this.#stopReading();
  }

  #startReading(): void {
    if (!this.#wantsReads || this.#reading || this.#turn.isOver || !this.#connected || this.#readEnded || this.destroyed) return;
    this.#reading = true;
    const errno = this.#handle.readStart();
    if (errno !== 0) process.nextTick(() => this.#fail(errno));
  }

  #stopReading(): void {
    if (!this.#reading) return;
    this.#reading = false;
    if (!this.destroyed) this.#handle.readStop();
  }

  /** Node calls it for every read, and reads into the buffer that it returns from then on, if it does. */
  #read(): Buffer | undefined {
    const count = this.#tcp.readCount();
    if (count > 0) {
      const buffer = this.#buffer;
      this.#isLanding = true;
      this.#buffer = this.#landing.land(buffer, count, this.#take);
      this.#isLanding = false;
      if (this.destroyed) this.#leaveBuffer();
      if (this.owner !== undefined && !this.destroyed) this.#turn.noteRead(this.owner, count);
      if (this.#turn.isOver) this.#stopReading();
      return this.#buffer === buffer ? undefined : this.#buffer;
    }
    if (count === EOF) {
      this.#reading = false;
      this.#readEnded = true;
      this.owner?.ended(this, FIN);
      if (this.#finished) this.destroy();
    } else if (count < 0) this.#fail(count);
    return undefined;
  }

  /** Nothing is read into it any more. */
  #leaveBuffer(): void {
    if (this.#buffer !== this.#landing.shared) this.#landing.giveBack(this.#buffer);
    this.#buffer = this.#landing.shared;
  }

  // ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  write(chunk: Buffer): void {
    if (this.ended || this.destroyed || chunk.length === 0) return;
    this.unwritten += chunk.length;
    if (this.#writing > 0) this.#waiting.push(chunk);
    else this.#hand(chunk, chunk.length);
  }

  writeAll(chunks: Buffer[]): void {
    const [only] = chunks;
    if (chunks.length === 1) this.write(only as Buffer);
    if (chunks.length < 2 || this.ended || this.destroyed) return;
    const before = this.unwritten;
    for (const { length } of chunks) this.unwritten += length;
    if (this.#writing === 0) this.#hand(chunks, this.unwritten - before);
    else for (const chunk of chunks) this.#waiting.push(chunk);
  }

  /** Hands bytes to the kernel, which takes them in order. */
  #hand(bytes: Buffer | Buffer[], length: number): void {
    const status = this.#tcp.write(this.#handle, bytes, this.#written);
    if (status === PENDING) this.#writing = length;
    else if (status === 0) this.unwritten -= length;
    else {
      // What follows would fail in the same way.
      this.#writing = length;
      process.nextTick(() => this.#fail(status));
    }
  }

  #writeIsOver(status: number): void {
    if (this.destroyed) return;
    if (status < 0) {
      this.#fail(status);
      return;
    }
    this.unwritten -= this.#writing;
    this.#writing = 0;
    if (this.#waiting.length > 0) {
      const chunks = this.#waiting;
      this.#waiting = [];
      this.#hand(chunks, this.unwritten);
    }
    this.owner?.drained(this);
    if (this.unwritten > 0) return;
    this.#callWhenWritten();
    this.#sendFin();
  }

  whenWritten(callback: () => void): void {
    if (this.destroyed || this.unwritten === 0) callback();
    else (this.#whenWritten ??= []).push(callback);
  }

  #callWhenWritten(): void {
    const callbacks = this.#whenWritten;
    this.#whenWritten = undefined;
    for (const callback of callbacks ?? []) callback();
  }

  // ── the end ─────────────────────────────────────────────────────────────────────────────────────────────────────────────

  end(): void {
    if (this.ended || this.destroyed) return;
    this.ended = true;
    this.#sendFin();
  }

  /** Once it is ended, connected, and everything is written. */
  #sendFin(): void {
    if (!this.ended || this.#finAsked || !this.#connected || this.unwritten > 0 || this.destroyed) return;
    this.#finAsked = true;
    const errno = this.#tcp.shutdown(this.#handle, () => this.#finIsSent());
    if (errno === DONE_AT_ONCE || errno === ENOTCONN) this.#finIsSent();
    else if (errno !== 0) process.nextTick(() => this.#fail(errno));
  }

  #finIsSent(): void {
    if (this.destroyed) return;
    this.#finished = true;
    if (this.#whenFinished === "reset") this.reset();
    else if (this.#whenFinished === "close" || this.#readEnded) this.destroy();
  }

  close(): void {
    if (this.#finished) this.destroy();
    else {
      this.#whenFinished ??= "close";
      this.end();
    }
  }

  reset(): void {
    if (this.destroyed) return;
    if (!this.#connected) {
      this.destroy();
      return;
    }
    if (this.ended && !this.#finished) {
      this.#whenFinished = "reset";
      this.#finTimer ??= setTimeout(() => this.destroy(), FINISH_WAIT_MS).unref();
      return;
    }
    this.#drop();
    const closed = (): void => this.owner?.closed(this);
    // Who is refused can do nothing more with the handle.
    if (this.#handle.reset(closed) !== 0) process.nextTick(closed);
  }

  destroy(): void {
    if (this.destroyed) return;
    this.#drop();
    this.#handle.close(() => this.owner?.closed(this));
  }

  #drop(): void {
    this.destroyed = true;
    this.#waiting = [];
    this.unwritten = 0;
    if (!this.#isLanding) this.#leaveBuffer();
    clearTimeout(this.#finTimer);
    if (this.#whenWritten !== undefined) process.nextTick(() => this.#callWhenWritten());
  }

  /** A call failed that nothing can follow. */
  #fail(errno: number): void {
    if (this.destroyed) return;
    this.destroy();
    this.#callWhenWritten();
    this.owner?.ended(this, endOf(errno));
  }
}

function endpoint({ address = "", port = 0, family = "" }: SocketName): Endpoint {
  return { address, port, family };
}
