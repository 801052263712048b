/**
 * The plaintext of TLS sockets: what the program writes before TLS gets it, and what TLS has read before the program gets it.
 *
 * HTTP/2 reads and writes the handle natively: its plaintext never comes by here.
 */
import { AsyncResource } from "node:async_hooks";
import net from "node:net";
import type { Socket } from "node:net";
import { noteFrontWrite } from "./bypassed.ts";
import type { Patches } from "./patches.ts";
import { hide } from "./patches.ts";
import type { Router } from "./router.ts";
import { isTls, steeredOf } from "./sockets.ts";
import type { Steered } from "./sockets.ts";

const UPLINK = 0;
const DOWNLINK = 1;

interface Chunk {
  readonly chunk: string | Uint8Array;
  readonly encoding: BufferEncoding;
}

type Done = (error?: Error | null) => void;

interface SocketInternals extends Socket {
  /** Where everything that is written comes by, in order, one at a time; again after the connect, if it came before. */
  _writeGeneric(several: boolean, data: unknown, encoding: BufferEncoding, done: Done): void;
}

/** To be called before `write` is patched: what is held back is no use of the flow. */
export function patchPlaintext(patches: Patches, router: Router): void {
  const prototype = net.Socket.prototype as SocketInternals;
  const { write, _writeGeneric: writeGeneric } = prototype;

  patches.replace(prototype, "_writeGeneric", (original) => {
    // Closures are made elsewhere, here and below: for one inside, V8 would allocate in every write of the process, also where nothing is done.
    const wakeOf =
      (socket: Socket, steered: Steered) =>
      (bytes: Uint8Array): void => {
        steered.heldBack = bytes;
        if (socket.writable) write.call(socket, Buffer.alloc(0));
      };
    return function (this: SocketInternals, several: boolean, data: unknown, encoding: BufferEncoding, done: Done): void {
      const steered = router.isBusy() && !this.connecting ? steeredOf(this) : undefined;
      if (steered !== undefined) noteFrontWrite(this, steered);
      const plaintext = steered !== undefined && isTls(this) ? steered.flow.plaintext() : undefined;
      if (steered === undefined || plaintext === undefined) {
        original.call(this, several, data, encoding, done);
        return;
      }
      // What is held back is written like anything else, behind what is under way: the handle takes one write at a time.
      const held = steered.heldBack;
      steered.heldBack = undefined;
      const bytes = plaintext.pass(UPLINK, bytesOf(several, data, encoding), wakeOf(this, steered));
      original.call(this, false, held === undefined ? bytes : Buffer.concat([held, bytes]), "buffer" as BufferEncoding, done);
    };
  });

  patches.replace(prototype, "_final", (original) => {
    const endOf = (socket: Socket, done: Done) => (): void => original.call(socket, done);
    return function (this: Socket, done: Done): void {
      const steered = router.isBusy() && !this.connecting ? steeredOf(this) : undefined;
      const plaintext = steered !== undefined && isTls(this) ? steered.flow.plaintext() : undefined;
      const held = steered?.heldBack;
      if (plaintext === undefined && held === undefined) {
        original.call(this, done);
        return;
      }
      const rest = Buffer.concat([held ?? Buffer.alloc(0), plaintext?.end(UPLINK) ?? Buffer.alloc(0)]);
      if (rest.length === 0 || this.destroyed) original.call(this, done);
      else writeGeneric.call(this as SocketInternals, false, rest, "buffer" as BufferEncoding, endOf(this, done));
    };
  });
}

/** Watches what TLS gives to the program. */
export function watchPlaintext(socket: Socket, steered: Steered): void {
  const { push } = socket;
  let context: AsyncResource | undefined;
  hide(socket, "push", function pushPlaintext(this: Socket, chunk: unknown, encoding?: BufferEncoding): boolean {
    const plaintext = steered.flow.plaintext();
    if (plaintext === undefined || !(chunk === null || chunk instanceof Uint8Array)) return push.call(this, chunk, encoding);
    if (chunk === null) {
      const rest = plaintext.end(DOWNLINK);
      if (rest.length > 0) push.call(this, rest);
      return push.call(this, null);
    }
    // What is held back is read in the context in which it came.
    context ??= new AsyncResource("FAULTCOREPLAINTEXT");
    const later = (bytes: Uint8Array): void => {
      if (socket.destroyed || socket.readableEnded) return;
      steered.reading++;
      try {
        context?.runInAsyncScope(() => push.call(socket, asBuffer(bytes)));
      } finally {
        steered.reading--;
      }
    };
    return push.call(this, asBuffer(plaintext.pass(DOWNLINK, chunk, later)), encoding);
  });
}

function bytesOf(several: boolean, data: unknown, encoding: BufferEncoding): Buffer {
  if (!several) return chunkBytes({ chunk: data as string | Uint8Array, encoding });
  const chunks = data as readonly (Chunk | Uint8Array)[];
  return Buffer.concat(chunks.map((chunk) => (chunk instanceof Uint8Array ? chunk : chunkBytes(chunk))));
}

function chunkBytes({ chunk, encoding }: Chunk): Buffer {
  return typeof chunk === "string" ? Buffer.from(chunk, encoding) : asBuffer(chunk);
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
