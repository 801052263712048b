/** What is read into buffers that are used again: on real sockets, because the buffers are Node's business as much as ours. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { ChunkQueue } from "../../../src/relay/chunk-queue.ts";
import { canReadInto, Landing, readInto } from "../../../src/relay/landing.ts";
import { pour } from "../../helpers/peers.ts";

const MIB = 2 ** 20;

/** Both ends of a connection. The accepted one does not read yet. */
async function connected(): Promise<{ near: Socket; far: Socket }> {
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const accepted = once(server, "connection") as Promise<[Socket]>;
  const far = connect((server.address() as { port: number }).port, "127.0.0.1");
  const [near] = await accepted;
  server.close();
  onTestFinished(() => {
    near.destroy();
    far.destroy();
  });
  return { near, far };
}

/** Reads everything with a reader that gets chunks as the relay does. */
async function readAll(near: Socket, landing: Landing, take: (chunk: Buffer) => void): Promise<void> {
  readInto(near, landing, take);
  near.resume();
  await once(near, "end");
}

describe("a socket that reads into buffers of the relay", () => {
  it("can do so on this version of Node, whether it was accepted or has connected", async () => {
    const { near, far } = await connected();
    expect([canReadInto(near), canReadInto(far)]).toEqual([true, true]);
  });

  it("gives every byte once and in order, and leaves alone what is held", async () => {
    const { near, far } = await connected();
    const sent = randomBytes(8 * MIB + 12_345);
    far.end(sent);
    const held: Buffer[] = [];
    await readAll(near, new Landing(), (chunk) => held.push(chunk));
    expect(Buffer.concat(held).equals(sent)).toBe(true);
  });

  it("reads into the same few buffers again when nothing is held", async () => {
    const { near, far } = await connected();
    const landing = new Landing();
    const buffers = new Set<ArrayBufferLike>();
    let bytes = 0;
    far.end(Buffer.alloc(8 * MIB));
    await readAll(near, landing, (chunk) => {
      bytes += chunk.length;
      // Small reads are copies.
      if (landing.lending === chunk) buffers.add(chunk.buffer);
      landing.lending = undefined;
    });
    expect(bytes).toBe(8 * MIB);
    expect(buffers.size).toBeGreaterThan(0);
    expect(buffers.size).toBeLessThan(5);
  });

  it("lets other sockets have their turn while it is at full speed", async () => {
    const { near, far } = await connected();
    const beside = await connected();
    let bytes = 0;
    let inARow = 0;
    let most = 0;
    pour(
      far.on("error", () => {}),
      Buffer.alloc(MIB),
    );
    let over = false;
    const look = (): void => {
      inARow = 0;
      if (!over) setImmediate(look);
    };
    look();
    readInto(near, new Landing(), (chunk) => {
      bytes += chunk.length;
      inARow += chunk.length;
      most = Math.max(most, inARow);
    });
    near.resume();
    beside.far.end("x");
    await once(beside.near.resume(), "end");
    while (bytes < 64 * MIB) await new Promise(setImmediate);
    over = true;
    // Two reads of 128 KiB, and what one turn of the loop begins anew.
    expect(most).toBeLessThanOrEqual(MIB);
  });

  it("pauses and goes on as it is told", async () => {
    const { near, far } = await connected();
    const sent = randomBytes(4 * MIB);
    far.end(sent);
    const held: Buffer[] = [];
    await readAll(near, new Landing(), (chunk) => {
      held.push(chunk);
      near.pause();
      const count = held.length;
      setImmediate(() => {
        // Nothing comes while it is paused.
        expect(held.length).toBe(count);
        near.resume();
      });
    });
    expect(Buffer.concat(held).equals(sent)).toBe(true);
  });
});

describe("bytes between two sockets", () => {
  /** From one socket to another through a queue, handed on as `onChunk` says. */
  async function through(
    onChunk: (queue: ChunkQueue, chunk: Buffer) => void,
    slowly: boolean,
  ): Promise<{ same: boolean; buffers: number }> {
    const [from, to] = [await connected(), await connected()];
    const landing = new Landing();
    const queue = new ChunkQueue(landing);
    queue.sink = to.far;
    const sent = randomBytes(32 * MIB);
    const received: Buffer[] = [];
    const buffers = new Set<ArrayBufferLike>();
    to.near.on("data", (chunk: Buffer) => {
      received.push(chunk);
      if (!slowly) return;
      to.near.pause();
      setImmediate(() => to.near.resume());
    });
    to.far.on("drain", () => {
      queue.noteWritten();
      from.near.resume();
    });
    readInto(from.near, landing, (chunk) => {
      if (landing.lending === chunk) buffers.add(chunk.buffer);
      onChunk(queue, chunk);
      if (queue.unwritten > MIB) from.near.pause();
    });
    from.near.on("end", () => {
      queue.release(queue.bytes);
      to.far.end();
    });
    from.near.resume();
    to.near.resume();
    from.far.end(sent);
    await once(to.near, "end");
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
