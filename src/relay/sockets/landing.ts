/**
 * Where the bytes land that the relay reads: one buffer for all sockets of the thread, and buffers of their own, used again and again, for
 * those that read much at once. Node's way, a new buffer of 64 KiB for each read, costs as much as the read itself where traffic is bulk.
 *
 * Owns: the buffers. Never: keeps bytes. Invariant: a buffer is read into only when nothing of what was in it is needed any more; who
 * does not say so keeps it, and it is replaced.
 */

/** Whoever reads as much has a buffer of its own from then on. */
export const LANDING_BYTES = 65_536;
/** The size of such a buffer: measured, on one flow and on 64, 64 KiB and 256 KiB are slower. */
const OWN_BYTES = 131_072;
/** Buffers that are kept for the next ones that need them. */
const MAX_FREE = 64;

export class Landing {
  /** What small reads are copied out of. */
  readonly shared: Buffer = Buffer.allocUnsafeSlow(LANDING_BYTES);
  /** The chunk that is being handed on and stands in a buffer that is used again. Whoever does not need it any more takes it away here. */
  lending: Buffer | undefined;
  readonly #free: Buffer[] = [];

  #take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(OWN_BYTES);
  }

  /** Nothing is needed any more of the buffer in which this chunk stands. */
  giveBack(chunk: Buffer): void {
    if (this.#free.length < MAX_FREE) this.#free.push(chunk.length === OWN_BYTES ? chunk : Buffer.from(chunk.buffer));
  }

  /** So many bytes were read into a buffer: hands them on. Returns the buffer that the same socket reads into next. */
  land(buffer: Buffer, length: number, take: (chunk: Buffer) => void): Buffer {
    const isMuch = length >= LANDING_BYTES;
    if (isMuch && buffer !== this.shared) {
      const chunk = length === OWN_BYTES ? buffer : buffer.subarray(0, length);
      this.lending = chunk;
      take(chunk);
      const isKept = this.lending !== undefined;
      this.lending = undefined;
      return isKept ? this.#take() : buffer;
    }
    take(copyOf(buffer, length));
    // Who fills a buffer is likely to go on; who does not may be idle for hours, and then needs none.
    if (isMuch) return this.#take();
    if (buffer !== this.shared) this.giveBack(buffer);
    return this.shared;
  }
}

function copyOf(buffer: Buffer, length: number): Buffer {
  const copy = Buffer.allocUnsafe(length);
  buffer.copy(copy, 0, 0, length);
  return copy;
}
