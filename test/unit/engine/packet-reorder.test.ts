import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Draws } from "../../../src/engine/draw.ts";
import { drawReorder, ReorderHold } from "../../../src/engine/faults/packet-reorder.ts";
import type { ReorderFault } from "../../../src/engine/types.ts";
import { KEY, MS } from "./helpers.ts";

const draws = new Draws(KEY);
const at = (cell: number) => ({ direction: 0, exchange: 0, cell, split: 0 }) as const;
const fault = (window: number, maxDelayMs = 50, ppm = 100_000): ReorderFault => ({
  ppm,
  window,
  maxDelayNs: maxDelayMs * MS,
  stream: "wait",
});

interface Arrival {
  readonly sequence: number;
  readonly atNs: number;
}

/** A packet a millisecond; those in `hit` are held back. */
function send(
  count: number,
  hit: (sequence: number) => boolean,
  reorder: ReorderFault,
): { hold: ReorderHold<{ sequence: number }>; out: Arrival[] } {
  const out: Arrival[] = [];
  const hold = new ReorderHold<{ sequence: number }>(({ sequence }, atNs) => void out.push({ sequence, atNs }));
  for (let sequence = 0; sequence < count; sequence++) {
    const nowNs = sequence * MS;
    hold.expire(nowNs);
    if (hit(sequence)) hold.hold({ sequence }, nowNs, reorder);
    else hold.pass({ sequence }, nowNs);
  }
  return { hold, out };
}

const order = (out: readonly Arrival[]): number[] => out.map(({ sequence }) => sequence);

test("a packet that is hit is overtaken by exactly the window", () => {
  for (const window of [1, 2, 5]) {
    const { out } = send(10, (n) => n === 2, fault(window));
    const place = order(out).indexOf(2);
    expect(place).toBe(2 + window);
    // It comes with its last overtaker, not later.
    expect(out[place]!.atNs).toBe((2 + window) * MS);
  }
});

test("a packet that nobody overtakes comes after max_delay, and so does the last one", () => {
  const { hold, out } = send(3, (n) => n === 2, fault(2, 30));
  expect(order(out)).toEqual([0, 1]);
  expect(hold.nextAtNs()).toBe(32 * MS);
  hold.expire(32 * MS - 1);
  expect(hold.length).toBe(1);
  hold.expire(40 * MS);
  expect(out.at(-1)).toEqual({ sequence: 2, atNs: 32 * MS });
  expect(hold.nextAtNs()).toBe(Infinity);
});

test("held packets overtake nobody until they are let go, and then those before them", () => {
  expect(order(send(4, (n) => n < 2, fault(1)).out)).toEqual([2, 0, 1, 3]);
  expect(order(send(4, (n) => n < 2, fault(2)).out)).toEqual([2, 3, 0, 1]);
});

test("flushing lets all go in the order in which they were sent", () => {
  const { hold, out } = send(5, (n) => n !== 0, fault(3));
  hold.flush(9 * MS);
  expect(order(out)).toEqual([0, 1, 2, 3, 4]);
  expect(hold.length).toBe(0);
  expect(hold.nextAtNs()).toBe(Infinity);
});

test("at 100% the first half of each 2 × window packets is overtaken by the second", () => {
  for (const [window, expected] of [
    [1, [1, 0, 3, 2, 5, 4]],
    [3, [3, 4, 5, 0, 1, 2]],
  ] as const) {
    const certain = fault(window, 50, 1_000_000);
    expect(order(send(6, (n) => drawReorder(draws, at(n), certain), certain).out)).toEqual(expected);
  }
});

test("below 100% the share of packets that are hit is the probability", () => {
  const N = 100_000;
  let hit = 0;
  for (let n = 0; n < N; n++) if (drawReorder(draws, at(n), fault(3, 50, 150_000))) hit++;
  expect(Math.abs(hit - 0.15 * N)).toBeLessThan(5 * Math.sqrt(N * 0.15 * 0.85));
});

test("whatever is held and whenever: all come out once, none early, none more than max_delay late, none overtaken more often than the window", () => {
  const packets = fc.array(fc.record({ gapNs: fc.integer({ min: 0, max: 20 * MS }), hit: fc.boolean() }), { maxLength: 60 });
  fc.assert(
    fc.property(packets, fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 60 }), (sent, window, maxDelayMs) => {
      const reorder = fault(window, maxDelayMs);
      const out: Arrival[] = [];
      const hold = new ReorderHold<{ sequence: number }>(({ sequence }, atNs) => void out.push({ sequence, atNs }));
      const times: number[] = [];
      let nowNs = 0;
      for (const [sequence, { gapNs, hit }] of sent.entries()) {
        nowNs += gapNs;
        times.push(nowNs);
        hold.expire(nowNs);
        if (hit) hold.hold({ sequence }, nowNs, reorder);
        else hold.pass({ sequence }, nowNs);
      }
      hold.expire(Number.MAX_VALUE);
      expect(order(out).toSorted((a, b) => a - b)).toEqual(sent.map((_, sequence) => sequence));
      for (const [place, { sequence, atNs }] of out.entries()) {
        expect(atNs).toBeGreaterThanOrEqual(times[sequence]!);
        expect(atNs).toBeLessThanOrEqual(times[sequence]! + (sent[sequence]!.hit ? reorder.maxDelayNs : 0));
        const overtakers = out.slice(0, place).filter((other) => other.sequence > sequence).length;
        expect(overtakers).toBeLessThanOrEqual(sent[sequence]!.hit ? window : 0);
        expect(atNs).toBeGreaterThanOrEqual(out[Math.max(0, place - 1)]!.atNs);
      }
    }),
    { seed: 1, numRuns: 500 },
  );
});
