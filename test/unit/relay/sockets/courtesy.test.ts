import { beforeEach, describe, expect, it } from "vitest";
import { Courtesy } from "../../../../src/relay/sockets/courtesy.ts";
import type { SocketOwner } from "../../../../src/relay/sockets/socket.ts";

const MS = 1e6;
const FULL = 131_072;

const owner = (): SocketOwner => ({ received: () => {}, ended: () => {}, drained: () => {}, closed: () => {} });

let nowNs: number;
let naps: number[];
let courtesy: Courtesy;
const bulk = owner();
const small = owner();

beforeEach(() => {
  nowNs = 5000 * MS;
  naps = [];
  courtesy = new Courtesy(
    () => nowNs,
    (ms) => naps.push(ms),
  );
});

/** Small reads, one each 3 ms. */
function converse(by: SocketOwner, reads: number): void {
  for (let n = 0; n < reads; n++, nowNs += 3 * MS) courtesy.noteRead(by, 64);
}

describe("a flow at full speed gives way", () => {
  it("not while it is alone", () => {
    expect(courtesy.isDue()).toBe(false);
  });

  it("when somebody else has a conversation", () => {
    converse(small, 4);
    expect(courtesy.isDue()).toBe(true);
  });

  it("not because of a connection that was opened and closed", () => {
    converse(small, 2);
    expect(courtesy.isDue()).toBe(false);
  });

  it("when several others have a few small reads each", () => {
    converse(small, 2);
    converse(owner(), 2);
    expect(courtesy.isDue()).toBe(true);
  });

  it("not because of small reads of those at full speed, be they before or after the full ones", () => {
    converse(bulk, 50);
    expect(courtesy.isDue()).toBe(true);
    courtesy.noteRead(bulk, FULL);
    expect(courtesy.isDue()).toBe(false);
    converse(bulk, 50);
    expect(courtesy.isDue()).toBe(false);
    nowNs += 400 * MS;
    converse(bulk, 50);
    expect(courtesy.isDue()).toBe(false);
  });

  it("to who was at full speed and is not any more", () => {
    courtesy.noteRead(bulk, FULL);
    nowNs += 1000 * MS;
    converse(bulk, 4);
    expect(courtesy.isDue()).toBe(true);
  });

  it("not because of reads that are not small", () => {
    for (let n = 0; n < 100; n++) courtesy.noteRead(small, 4097);
    expect(courtesy.isDue()).toBe(false);
  });

  it.each([
    ["asked meanwhile", true],
    ["asked only then", false],
  ])("for half a second after the conversation, and not longer than a second, %s", (_how, asks) => {
    converse(small, 4);
    nowNs += 499 * MS;
    expect(!asks || courtesy.isDue()).toBe(true);
    nowNs += 489 * MS;
    courtesy.isDue();
    nowNs += 12 * MS;
    expect(courtesy.isDue()).toBe(false);
  });

  it("also to a conversation of a read each 125 ms", () => {
    for (let n = 0; n < 10; n++) {
      courtesy.noteRead(small, 64);
      nowNs += 125 * MS;
    }
    expect(courtesy.isDue()).toBe(true);
  });
});

describe("giving way", () => {
  it("is one short sleep for all who have their turn in the same turn of the loop", () => {
    courtesy.giveWay();
    courtesy.giveWay();
    expect(naps).toEqual([0.2]);
    nowNs += 0.2 * MS;
    courtesy.giveWay();
    expect(naps).toHaveLength(2);
  });
});
