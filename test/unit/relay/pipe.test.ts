import { describe, expect, it } from "vitest";
import { DirectionEngine } from "../../../src/engine/direction.ts";
import { PacketTimes } from "../../../src/engine/packet-times.ts";
import type { DirectionFaults } from "../../../src/engine/types.ts";
import type { RelayContext } from "../../../src/relay/context.ts";
import { Pipe } from "../../../src/relay/pipe.ts";
import { Landing } from "../../../src/relay/sockets/landing.ts";
import type { RelaySocket } from "../../../src/relay/sockets/socket.ts";
import { MS, MSS, NO_FAULTS, type Release } from "../engine/helpers.ts";
import { HandClock } from "./hand-clock.ts";

const US = 1e3;
/** 100 Mbit/s: a packet takes 116.8 µs. */
const PACKET_NS = (MSS * 8 * 1e9) / 100e6;

/** A pipe whose sink notes what leaves when. */
function emptyPipe(coalesceNs: number) {
  const clock = new HandClock(coalesceNs);
  const releases: Release[] = [];
  const note = (bytes: number): void => void releases.push({ atNs: clock.nowNs(), bytes });
  const sink = {
    ended: false,
    destroyed: false,
    unwritten: 0,
    write: (chunk: Buffer) => note(chunk.length),
    writeAll: (chunks: Buffer[]) => note(chunks.reduce((sum, { length }) => sum + length, 0)),
  };
  const owner = { releasing: () => {}, released: () => {}, resumed: () => {}, pipeEnded: () => {}, gaveUp: () => {} };
  const pipe = new Pipe(owner, { clock, landing: new Landing(), windowBytes: 4 * 2 ** 20 } as unknown as RelayContext);
  pipe.sink = sink as unknown as RelaySocket;
  return { clock, pipe, releases };
}

/** A pipe under faults; what its packets' lateness is measured as. */
function pipeUnder(faults: Partial<DirectionFaults>, coalesceNs: number) {
  const { clock, pipe, releases } = emptyPipe(coalesceNs);
  const latenessNs: number[] = [];
  const engine = new DirectionEngine({
    direction: 0,
    faults: { ...NO_FAULTS, ...faults },
    key: { seed: 1n, flowHash: 1n },
    rttNs: 0,
    times: new PacketTimes({ kept: () => {}, late: (ns) => latenessNs.push(ns) }),
  });
  const push = (bytes: number): void => pipe.push(Buffer.alloc(bytes), engine, clock.nowNs());
  return { clock, releases, latenessNs, push };
}

describe("a stream of packets that are due close to each other", () => {
  const PACKETS = 40;

  it("leaves in parts, none of them early, none later than the parts are apart, and all of it", () => {
    const { clock, releases, latenessNs, push } = pipeUnder({ rateBps: 100e6 }, 250 * US);
    push(PACKETS * MSS);
    clock.moveTo(1e9);
    expect(releases.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(PACKETS * MSS);
    let sent = 0;
    let lastNs = -Infinity;
    for (const { atNs, bytes } of releases) {
      const firstDueNs = (sent / MSS + 1) * PACKET_NS;
      sent += bytes;
      const lastDueNs = (sent / MSS) * PACKET_NS;
      expect(atNs).toBeGreaterThanOrEqual(lastDueNs);
      expect(atNs - firstDueNs).toBeLessThanOrEqual(250 * US);
      expect(atNs - lastNs).toBeGreaterThanOrEqual(250 * US);
      lastNs = atNs;
    }
    // 4.67 ms of packets.
    expect(releases.length).toBeLessThanOrEqual(20);
    // What coalescing adds is measured as lateness.
    expect(Math.max(...latenessNs)).toBeGreaterThan(100 * US);
    expect(Math.max(...latenessNs)).toBeLessThanOrEqual(250 * US);
  });

  it("leaves packet by packet, each at its time, where precision is to be fine", () => {
    const { clock, releases, push } = pipeUnder({ rateBps: 100e6 }, 0);
    push(PACKETS * MSS);
    clock.moveTo(1e9);
    expect(releases).toHaveLength(PACKETS);
    for (const [n, { atNs }] of releases.entries()) expect(atNs).toBeCloseTo((n + 1) * PACKET_NS, 0);
  });
});

it("an answer to what has just left is not held for it, nor is anything behind which nothing waits", () => {
  const { clock, releases, push } = pipeUnder({ rateBps: 100e6 }, 250 * US);
  const packetNs = (64 * 8 * 1e9) / 100e6;
  for (let n = 0; n < 10; n++) {
    clock.moveTo(n * 66 * US);
    push(64);
  }
  clock.moveTo(1e9);
  expect(releases.map(({ atNs }) => atNs)).toEqual(Array.from({ length: 10 }, (_, n) => n * 66 * US + packetNs));
});

it("what an acknowledgement lets go leaves when that comes, not at the time that was known before", () => {
  const { clock, pipe, releases } = emptyPipe(0);
  let [dueNs, left] = [40 * MS, 64];
  const engine = {
    push: () => {},
    nextAtNs: () => (left > 0 ? dueNs : Infinity),
    advance: (nowNs: number) => (dueNs <= nowNs ? left : 0),
    peerReleased: () => void (dueNs = 10 * MS),
    failure: () => undefined,
    blocked: () => false,
    stalled: () => false,
    backNs: () => 0,
    times: { leave: () => void (left = 0) },
  };
  pipe.push(Buffer.alloc(64), engine as unknown as DirectionEngine, 0);
  clock.moveTo(5 * MS);
  pipe.peerReleased(clock.nowNs());
  clock.moveTo(1e9);
  expect(releases).toEqual([{ atNs: 10 * MS, bytes: 64 }]);
});

it("a packet that follows the one before it later than that leaves at its time", () => {
  const { clock, releases, latenessNs, push } = pipeUnder({ latencyNs: 20 * MS }, 250 * US);
  for (let n = 0; n < 10; n++) {
    clock.moveTo(n * 300 * US);
    push(64);
  }
  clock.moveTo(1e9);
  expect(releases.map(({ atNs }) => atNs)).toEqual(Array.from({ length: 10 }, (_, n) => n * 300 * US + 20 * MS));
  expect(latenessNs).toEqual(Array.from({ length: 10 }, () => 0));
});
