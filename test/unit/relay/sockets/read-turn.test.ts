import { describe, expect, it } from "vitest";
import { Courtesy } from "../../../../src/relay/sockets/courtesy.ts";
import { ReadTurn } from "../../../../src/relay/sockets/read-turn.ts";
import { Landing } from "../../../../src/relay/sockets/landing.ts";
import { NativeNetwork } from "../../../../src/relay/sockets/native-network.ts";
import { Notes, dial, nativeTcp } from "./pairs.ts";

const FULL = 131_072;

/** A turn of somebody at full speed, while others may have a conversation. */
function turnBeside(smallReadsOfOthers: number) {
  let nowNs = 0;
  let naps = 0;
  const courtesy = new Courtesy(
    () => (nowNs += 1e6),
    () => void naps++,
  );
  const other = new Notes();
  for (let n = 0; n < smallReadsOfOthers; n++) courtesy.noteRead(other, 64);
  const reader = new Notes();
  let begun = (): void => {};
  const next = new Promise<void>((resolve) => (begun = resolve));
  const turn = new ReadTurn(courtesy, () => begun());
  const readsUntilOver = (bytes: number): number => {
    for (let n = 1; n <= 100; n++) {
      turn.noteRead(reader, bytes);
      if (turn.isOver) return n;
    }
    return Infinity;
  };
  return { turn, readsUntilOver, next, naps: () => naps };
}

describe("a turn to read", () => {
  it("ends after four full reads, and the next one begins by itself, without a sleep", async () => {
    const { turn, readsUntilOver, next, naps } = turnBeside(0);
    expect(readsUntilOver(FULL)).toBe(4);
    await next;
    expect(turn.isOver).toBe(false);
    expect(naps()).toBe(0);
    expect(readsUntilOver(FULL)).toBe(4);
  });

  it("ends after one full read and a sleep, beside others' small packets", async () => {
    const { turn, readsUntilOver, next, naps } = turnBeside(4);
    expect(readsUntilOver(FULL)).toBe(1);
    await next;
    expect(turn.isOver).toBe(false);
    expect(naps()).toBe(1);
  });

  it("does not end where reads do not fill the buffer", () => {
    const { readsUntilOver } = turnBeside(4);
    expect(readsUntilOver(4096)).toBe(Infinity);
  });
});

it("all sockets of a network know of each other's small packets", async () => {
  let naps = 0;
  const courtesy = new Courtesy(undefined, () => void naps++);
  const network = new NativeNetwork(nativeTcp(), new Landing(), courtesy);
  const small = await dial(network);
  small.socket.resume();
  for (let n = 1; n <= 4; n++) {
    small.far.write("x");
    await small.notes.until(() => small.notes.chunks.length === n);
  }
  const bulk = await dial(network);
  bulk.far.end(Buffer.alloc(8 * 2 ** 20));
  bulk.socket.resume();
  await bulk.notes.until(() => bulk.notes.ends.length > 0);
  expect(bulk.notes.bytes).toHaveLength(8 * 2 ** 20);
  expect(naps).toBeGreaterThan(0);
});
