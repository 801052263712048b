/** What the relay relies on in its sockets: the same over Node's handles and over `node:net`. */
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { describe, expect, it } from "vitest";
import { FIN } from "../../../../src/relay/sockets/end.ts";
import { errnoOf } from "../../../../src/internal/errnos.ts";
import { accept, dial, networks, openNetwork } from "./pairs.ts";
import type { Pair } from "./pairs.ts";

const MIB = 2 ** 20;

describe.each(networks)("sockets over %s", (_, open) => {
  const kinds: [string, () => Promise<Pair>][] = [
    ["dialled", () => dial(openNetwork(open))],
    ["accepted", () => accept(openNetwork(open))],
  ];

  it.each(kinds)("read nothing before they are resumed, and nothing while they are paused (%s)", async (_kind, make) => {
    const { socket, notes, far } = await make();
    far.write("one");
    await new Promise(setImmediate);
    expect(notes.text).toBe("");
    socket.resume();
    await notes.until(() => notes.text === "one");
    socket.pause();
    far.end("two");
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
    expect([notes.text, notes.ends]).toEqual(["one", []]);
    socket.resume();
    await notes.until(() => notes.ends.length > 0);
    expect([notes.text, notes.ends]).toEqual(["onetwo", [FIN]]);
  });

  it.each(kinds)("carry every byte once and in order, in both directions at once (%s)", async (_kind, make) => {
    const { socket, notes, far } = await make();
    const [up, down] = [randomBytes(8 * MIB + 12_345), randomBytes(8 * MIB + 54_321)];
    const came: Buffer[] = [];
    far.on("data", (chunk: Buffer) => came.push(chunk)).resume();
    far.end(down);
    socket.resume();
    for (let at = 0; at < up.length;) {
      // Odd pieces, one by one and many in one.
      const pieces = [up.subarray(at, at + 1), up.subarray(at + 1, at + 70_000), up.subarray(at + 70_000, at + 70_001)];
      if (at % 2 === 0) for (const piece of pieces) socket.write(piece);
      else socket.writeAll(pieces);
      at += 70_001;
      if (socket.unwritten > MIB) await new Promise<void>((resolve) => socket.whenWritten(resolve));
    }
    socket.end();
    await once(far, "end");
    await notes.until(() => notes.ends.length > 0);
    expect(Buffer.concat(came).equals(up)).toBe(true);
    expect(notes.bytes.equals(down)).toBe(true);
  });

  it("count what the kernel has not taken, tell when it takes more, and call back when it has all", async () => {
    const { socket, notes, far } = await dial(openNetwork(open));
    let isWritten = false;
    const much = Buffer.alloc(32 * MIB);
    socket.write(much);
    socket.writeAll([Buffer.from("a"), Buffer.from("b")]);
    socket.whenWritten(() => (isWritten = true));
    expect(socket.unwritten).toBeGreaterThan(0);
    expect([isWritten, notes.drains]).toEqual([false, 0]);
    let bytes = 0;
    let last = "";
    far.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      last = (last + chunk.toString("latin1")).slice(-2);
    });
    far.resume();
    await notes.until(() => isWritten && notes.drains > 0);
    expect(socket.unwritten).toBe(0);
    socket.end();
    await once(far, "end");
    expect([bytes, last]).toEqual([much.length + 2, "ab"]);
  });

  it("call back at once when there is nothing to wait for, and when the last byte is written though they were ended before", async () => {
    const { socket, far } = await dial(openNetwork(open));
    const calls: string[] = [];
    socket.whenWritten(() => calls.push("nothing"));
    expect(calls).toEqual(["nothing"]);
    socket.write(Buffer.alloc(32 * MIB));
    socket.end();
    const written = new Promise<void>((resolve) => socket.whenWritten(resolve));
    socket.whenWritten(() => calls.push("everything"));
    expect(calls).toEqual(["nothing"]);
    far.resume();
    await written;
    expect([calls, socket.unwritten]).toEqual([["nothing", "everything"], 0]);
  });

  it.each([["drained"], ["whenWritten"]])("send one FIN when they are ended in %s, and are reset then", async (where) => {
    const { socket, notes, far } = await dial(openNetwork(open));
    socket.write(Buffer.alloc(32 * MIB));
    let isOver = false;
    const finish = (): void => {
      if (isOver || socket.unwritten > 0) return;
      isOver = true;
      socket.end();
      socket.reset();
    };
    if (where === "whenWritten") socket.whenWritten(finish);
    else notes.onDrain = finish;
    far.resume();
    await notes.until(() => notes.isClosed);
    expect(isOver).toBe(true);
  });

  it("send a FIN behind what was written, and go on reading until the other side ends too", async () => {
    const { socket, notes, far } = await dial(openNetwork(open));
    socket.resume();
    socket.write(Buffer.alloc(16 * MIB));
    socket.end();
    socket.write(Buffer.from("too late"));
    expect(socket.ended).toBe(true);
    let bytes = 0;
    far.on("data", (chunk: Buffer) => (bytes += chunk.length)).resume();
    await once(far, "end");
    expect(bytes).toBe(16 * MIB);
    far.write("still here");
    await notes.until(() => notes.text === "still here");
    expect([notes.isClosed, socket.destroyed]).toEqual([false, false]);
    far.end();
    await notes.until(() => notes.isClosed);
    expect([notes.ends, socket.destroyed]).toEqual([[FIN], true]);
  });

  it("close with a FIN behind everything that was written", async () => {
    const { socket, notes, far } = await dial(openNetwork(open));
    socket.write(Buffer.alloc(16 * MIB));
    socket.close();
    let bytes = 0;
    far.on("data", (chunk: Buffer) => (bytes += chunk.length)).resume();
    await once(far, "end");
    await notes.until(() => notes.isClosed);
    expect(bytes).toBe(16 * MIB);
  });

  it("close with a FIN also when something has come that nobody read", async () => {
    for (let round = 0; round < 50; round++) {
      const { socket, notes, far } = await dial(openNetwork(open));
      await new Promise((resolve) => far.write("nobody reads this", resolve));
      socket.write(Buffer.from("bye"));
      socket.close();
      let text = "";
      far.on("data", (chunk: Buffer) => (text += chunk.toString())).resume();
      await once(far, "end");
      await notes.until(() => notes.isClosed);
      expect(text).toBe("bye");
    }
  });

  it.each(kinds)("reset (%s)", async (_kind, make) => {
    const { socket, notes, far } = await make();
    const failed = once(far.resume(), "error") as Promise<[NodeJS.ErrnoException]>;
    socket.reset();
    expect(socket.destroyed).toBe(true);
    expect((await failed)[0].code).toBe("ECONNRESET");
    await notes.until(() => notes.isClosed);
    expect(notes.ends).toEqual([]);
  });

  it("reset after a FIN when that has left", async () => {
    const { socket, notes, far } = await dial(openNetwork(open));
    far.resume();
    const [ended] = [once(far, "end"), socket.end()];
    socket.reset();
    expect(socket.destroyed).toBe(false);
    await ended;
    await notes.until(() => notes.isClosed);
    far.write("a");
    const [error] = (await once(far, "error")) as [NodeJS.ErrnoException];
    expect(["ECONNRESET", "EPIPE"]).toContain(error.code);
  });

  it("tell of the peer's reset once, with its errno, and that they are gone", async () => {
    const { socket, notes, far } = await dial(openNetwork(open));
    socket.resume();
    far.resetAndDestroy();
    await notes.until(() => notes.isClosed);
    expect(notes.ends).toEqual([{ reset: true, errno: errnoOf("ECONNRESET") }]);
    expect(socket.destroyed).toBe(true);
  });

  it("tell of a reset that only a write meets, and not from within that write", async () => {
    const { socket, notes, far } = await dial(openNetwork(open));
    far.resetAndDestroy();
    await once(far, "close");
    socket.write(Buffer.from("a"));
    socket.write(Buffer.from("b"));
    expect(notes.ends).toEqual([]);
    await notes.until(() => notes.isClosed);
    expect(notes.ends).toEqual([{ reset: true, errno: errnoOf("ECONNRESET") }]);
  });

  it("call back who waits for what will never be written", async () => {
    const { socket } = await dial(openNetwork(open));
    socket.write(Buffer.alloc(32 * MIB));
    const over = new Promise<void>((resolve) => socket.whenWritten(resolve));
    socket.destroy();
    await over;
    expect(socket.destroyed).toBe(true);
  });
});
