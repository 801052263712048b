/** What is read into buffers that are used again: on real sockets, because the buffers are the kernel's business as much as ours. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { ChunkQueue } from "../../../../src/relay/chunk-queue.ts";
import { Landing } from "../../../../src/relay/sockets/landing.ts";
import { NativeNetwork } from "../../../../src/relay/sockets/native-network.ts";
import type { RelaySocket } from "../../../../src/relay/sockets/socket.ts";
import { pour } from "../../../helpers/peers.ts";
import { Notes, dial, nativeTcp } from "./pairs.ts";
import type { Pair } from "./pairs.ts";

const MIB = 2 ** 20;

/** Hears of chunks as they are, in buffers that may be used again. */
class Listener extends Notes {
  readonly #take: (chunk: Buffer, socket: RelaySocket) => void;

  constructor(take: (chunk: Buffer, socket: RelaySocket) => void) {
    super();
    this.#take = take;
  }

  override received(socket: RelaySocket, chunk: Buffer): void {
    this.#take(chunk, socket);
  }

  /** Nothing more will come. */
  end(): Promise<void> {
    return this.until(() => this.ends.length > 0);
  }
}

/** A socket of the relay, and what it is connected to. */
function connected(landing: Landing, take: (chunk: Buffer, socket: RelaySocket) => void = () => {}): Promise<Pair<Listener>> {
  return dial(new NativeNetwork(nativeTcp(), landing), {}, new Listener(take));
}

describe("a socket that reads into buffers of the relay", () => {
  it("gives every byte once and in order, and leaves alone what is held", async () => {
    const held: Buffer[] = [];
    const { socket, notes, far } = await connected(new Landing(), (chunk) => held.push(chunk));
    const sent = randomBytes(8 * MIB + 12_345);
    far.end(sent);
    socket.resume();
    await notes.end();
    expect(Buffer.concat(held).equals(sent)).toBe(true);
  });

  it("reads into the same few buffers again when nothing is held", async () => {
    const landing = new Landing();
    const buffers = new Set<ArrayBufferLike>();
    let bytes = 0;
    const { socket, notes, far } = await connected(landing, (chunk) => {
      bytes += chunk.length;
      // Small reads are copies.
      if (landing.lending === chunk) buffers.add(chunk.buffer);
      landing.lending = undefined;
    });
    far.end(Buffer.alloc(8 * MIB));
    socket.resume();
    await notes.end();
    expect(bytes).toBe(8 * MIB);
    expect(buffers.size).toBeGreaterThan(0);
    expect(buffers.size).toBeLessThan(5);
  });

  it("lets other sockets have their turn while it is at full speed", async () => {
    let bytes = 0;
    let inARow = 0;
    let most = 0;
    const landing = new Landing();
    const { socket, far } = await connected(landing, (chunk) => {
      bytes += chunk.length;
      inARow += chunk.length;
      most = Math.max(most, inARow);
    });
    const beside = await connected(landing);
    pour(far, Buffer.alloc(MIB));
    let over = false;
    const look = (): void => {
      inARow = 0;
      if (!over) setImmediate(look);
    };
    look();
    socket.resume();
    beside.far.end("x");
    beside.socket.resume();
    await beside.notes.end();
    while (bytes < 64 * MIB) await new Promise(setImmediate);
    over = true;
    // Four reads of 128 KiB, and what one turn of the loop begins anew.
    expect(most).toBeLessThanOrEqual(MIB);
  });

  it("pauses and goes on as it is told", async () => {
    const held: Buffer[] = [];
    const { socket, notes, far } = await connected(new Landing(), (chunk, reader) => {
      held.push(chunk);
      reader.pause();
      const count = held.length;
      setImmediate(() => {
        // Nothing comes while it is paused.
        expect(held.length).toBe(count);
        reader.resume();
      });
    });
    const sent = randomBytes(4 * MIB);
    far.end(sent);
    socket.resume();
    await notes.end();
    expect(Buffer.concat(held).equals(sent)).toBe(true);
  });
});

describe("bytes between two sockets", () => {
  /** From one socket to another through a queue, handed on as `onChunk` says. */
  async function through(
    onChunk: (queue: ChunkQueue, chunk: Buffer) => void,
    slowly: boolean,
  ): Promise<{ same: boolean; buffers: number }> {
    const landing = new Landing();
    const queue = new ChunkQueue(landing);
    const buffers = new Set<ArrayBufferLike>();
    const to = await connected(landing);
    const from = await connected(landing, (chunk, socket) => {
      if (landing.lending === chunk) buffers.add(chunk.buffer);
      onChunk(queue, chunk);
      if (queue.unwritten > MIB) socket.pause();
    });
    to.notes.onDrain = () => {
      queue.noteWritten();
      if (queue.unwritten <= MIB) from.socket.resume();
    };
    queue.sink = to.socket;
    const sent = randomBytes(32 * MIB);
    const received: Buffer[] = [];
    to.far.on("data", (chunk: Buffer) => {
      received.push(chunk);
      if (!slowly) return;
      to.far.pause();
      setImmediate(() => to.far.resume());
    });
    to.far.resume();
    from.far.end(sent);
    from.socket.resume();
    await from.notes.end();
    queue.release(queue.bytes);
    to.socket.end();
    await once(to.far, "end");
    return { same: Buffer.concat(received).equals(sent), buffers: buffers.size };
  }

  it.each([
    ["a reader that keeps up", false],
    ["a reader that is slow", true],
  ])("arrive unchanged at %s when they are passed on at once, and their buffers are used again", async (_, slowly) => {
    const { same, buffers } = await through((queue, chunk) => queue.pass(chunk), slowly);
    expect(same).toBe(true);
    // 1 MiB may wait in the socket; 32 MiB have come.
    expect(buffers).toBeLessThan(120);
  });

  it.each([
    ["a reader that keeps up", false],
    ["a reader that is slow", true],
  ])("arrive unchanged at %s when some are held and leave in odd pieces", async (_, slowly) => {
    const { same, buffers } = await through((queue, chunk) => {
      queue.add(chunk);
      if (queue.bytes > 500_000) queue.release(queue.bytes - 99_999);
    }, slowly);
    expect(same).toBe(true);
    expect(buffers).toBeLessThan(120);
  });
});
