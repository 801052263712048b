/**
 * The bytes of one direction, between the sockets: those that are held, and those that the outgoing socket has not written yet.
 *
 * Owns: chunks, and when their buffers may be read into again. Never: when bytes leave. Invariant: bytes leave in the order in which they came.
 */
import type { Landing } from "./sockets/landing.ts";
import type { RelaySocket } from "./sockets/socket.ts";

/** A chunk in a buffer that is used again, and how many bytes the socket was given up to its end. */
interface Lent {
  readonly chunk: Buffer;
  readonly end: number;
}

export class ChunkQueue {
  /** Bytes taken in and not yet handed on. */
  bytes = 0;
  sink: RelaySocket | undefined;
  readonly #landing: Landing;
  readonly #chunks: Buffer[] = [];
  #firstChunk = 0;
  #firstOffset = 0;
  /** Bytes that the sink was given. */
  #given = 0;
  /** Of the held chunks, those whose buffers are used again. */
  #heldLent: Set<Buffer> | undefined;
  #givenLent: Lent[] = [];

  constructor(landing: Landing) {
    this.#landing = landing;
  }

  /** Bytes that wait in the sink. */
  get unwritten(): number {
    return this.sink?.unwritten ?? 0;
  }

  /** Holds a chunk. */
  add(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.bytes += chunk.length;
    if (chunk === this.#landing.lending) (this.#heldLent ??= new Set()).add(chunk);
  }

  /** Hands on a chunk that nothing is held before. */
  pass(chunk: Buffer): void {
    const sink = this.#openSink();
    sink?.write(chunk);
    if (sink !== undefined) this.#given += chunk.length;
    this.noteWritten();
    if (chunk !== this.#landing.lending) return;
    // Mostly, the kernel has taken all of it.
    if (sink === undefined || sink.unwritten === 0) this.#landing.lending = undefined;
    else this.#givenLent.push({ chunk, end: this.#given });
  }

  /** Hands on so many of the bytes that are held. */
  release(bytes: number): void {
    const sink = this.#openSink();
    const pieces: Buffer[] = [];
    let left = bytes;
    this.bytes -= bytes;
    while (left > 0) {
      const chunk = this.#chunks[this.#firstChunk] as Buffer;
      const available = chunk.length - this.#firstOffset;
      const take = Math.min(available, left);
      const piece = take === chunk.length ? chunk : chunk.subarray(this.#firstOffset, this.#firstOffset + take);
      left -= take;
      if (sink !== undefined) this.#given += take;
      pieces.push(piece);
      if (take < available) this.#firstOffset += take;
      else this.#dropFirst(chunk);
    }
    sink?.writeAll(pieces);
    this.noteWritten();
    if (this.#firstChunk <= 1024 && this.#firstChunk < this.#chunks.length) return;
    this.#chunks.splice(0, this.#firstChunk);
    this.#firstChunk = 0;
  }

  /** One that has ended takes nothing: such bytes must not count as written by it before others that it is still writing. */
  #openSink(): RelaySocket | undefined {
    return this.sink === undefined || this.sink.ended || this.sink.destroyed ? undefined : this.sink;
  }

  #dropFirst(chunk: Buffer): void {
    this.#chunks[this.#firstChunk] = undefined as never;
    this.#firstChunk++;
    this.#firstOffset = 0;
    if (this.#heldLent?.delete(chunk) === true) this.#givenLent.push({ chunk, end: this.#given });
  }

  /** The sink has written more. */
  noteWritten(): void {
    const lent = this.#givenLent;
    if (lent.length === 0) return;
    const written = this.#given - this.unwritten;
    while (lent.length > 0 && lent[0]!.end <= written) this.#landing.giveBack(lent.shift()!.chunk);
  }

  /** Drops everything. What the sink was given it may still be writing. */
  clear(): void {
    this.bytes = 0;
    this.#chunks.length = 0;
    this.#firstChunk = 0;
    this.#firstOffset = 0;
    this.#heldLent = undefined;
    this.#givenLent = [];
  }
}
