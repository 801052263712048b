/**
 * Where the bytes land that the relay reads: one buffer for all sockets of the thread, and buffers of their own, used again and again, for
 * those that read much at once. Node's way, a new buffer of 64 KiB for each read, costs as much as the read itself where traffic is bulk.
 *
 * Owns: the buffers. Never: keeps bytes. Invariant: a buffer is read into only when nothing of what was in it is needed any more; who
 * does not say so keeps it, and it is replaced.
 */
import type { Socket } from "node:net";
import { setImmediate } from "node:timers";
import { symbolNamed } from "../internal/symbols.ts";

/** As much as Node reads at once. Whoever reads as much has a buffer of its own from then on. */
const LANDING_BYTES = 65_536;
/** The size of such a buffer: measured, on one flow and on 64, 64 KiB and 256 KiB are slower. */
const OWN_BYTES = 131_072;
/** As long as reads fill the buffer, Node goes on, up to 32 times: that would keep other sockets and deadlines waiting for milliseconds. */
const READS_PER_TURN = 2;
/** Buffers that are kept for the next ones that need them. */
const MAX_FREE = 64;

export class Landing {
  /** What small reads are copied out of. */
  readonly shared: Buffer = Buffer.allocUnsafeSlow(LANDING_BYTES);
  /** The chunk that is being handed on and stands in a buffer that is used again. Whoever does not need it any more takes it away here. */
  lending: Buffer | undefined;
  readonly #free: Buffer[] = [];

  take(): Buffer {
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(OWN_BYTES);
  }

  /** Nothing is needed any more of the buffer in which this chunk stands. */
  giveBack(chunk: Buffer): void {
    if (this.#free.length < MAX_FREE) this.#free.push(chunk.length === OWN_BYTES ? chunk : Buffer.from(chunk.buffer));
  }
}

/** What a socket's `onread` option sets: there is no other way to set it for a socket that a server accepts. */
interface OnRead {
  readonly buffer: symbol;
  readonly callback: symbol;
  readonly next: symbol;
}

interface ReadsIntoBuffer {
  useUserBuffer?(buffer: Uint8Array): void;
}

let onRead: OnRead | null | undefined;

function findOnRead(socket: Socket): OnRead | null {
  const [buffer, callback, next] = ["kBuffer", "kBufferCb", "kBufferGen"].map((name) => symbolNamed(socket, name));
  return buffer && callback && next ? { buffer, callback, next } : null;
}

const handleOf = (socket: Socket): ReadsIntoBuffer | null => (socket as unknown as { _handle: ReadsIntoBuffer | null })._handle;

/** Whether this version of Node lets an open socket read into buffers of ours. */
export function canReadInto(socket: Socket): boolean {
  if (onRead === undefined) onRead = findOnRead(socket);
  return onRead !== null && typeof handleOf(socket)?.useUserBuffer === "function";
}

/** From now on, `take` is given everything that is read from an open socket. Where Node does not allow our buffers, in its own. */
export function readInto(socket: Socket, landing: Landing, take: (chunk: Buffer) => void): void {
  if (!canReadInto(socket)) {
    socket.on("data", take);
    return;
  }
  let current = landing.shared;
  let reads = 0;
  const goOn = (): void => {
    // Who has been told to pause meanwhile is read again when it resumes.
    if (!socket.destroyed && !socket.isPaused()) socket.read(0);
  };
  const land = (length: number): void => {
    const isMuch = length >= LANDING_BYTES;
    if (isMuch && current !== landing.shared) {
      const chunk = length === OWN_BYTES ? current : current.subarray(0, length);
      landing.lending = chunk;
      take(chunk);
      if (landing.lending !== undefined) current = landing.take();
      landing.lending = undefined;
      return;
    }
    take(copyOf(current, length));
    // Who fills a buffer is likely to go on; who does not may be idle for hours, and then needs none.
    if (isMuch) current = landing.take();
    else if (current !== landing.shared) {
      landing.giveBack(current);
      current = landing.shared;
    }
  };
  const landed = (length: number): boolean => {
    land(length);
    reads = length >= LANDING_BYTES ? reads + 1 : 0;
    if (reads < READS_PER_TURN) return true;
    reads = 0;
    setImmediate(goOn);
    return false;
  };
  const { buffer, callback, next } = onRead as OnRead;
  const options = socket as unknown as Record<symbol, unknown>;
  options[buffer] = current;
  options[callback] = landed;
  options[next] = () => current;
  handleOf(socket)?.useUserBuffer?.(current);
}

function copyOf(buffer: Buffer, length: number): Buffer {
  const copy = Buffer.allocUnsafe(length);
  buffer.copy(copy, 0, 0, length);
  return copy;
}
