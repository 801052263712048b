import { describe, expect, it } from "vitest";
import { Courtesy } from "../../../../src/relay/sockets/courtesy.ts";
import { ReadTurn } from "../../../../src/relay/sockets/read-turn.ts";
import { Notes } from "./pairs.ts";

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
