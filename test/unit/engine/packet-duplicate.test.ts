import { expect, test } from "vitest";
import { Draws } from "../../../src/engine/draw.ts";
import { drawExtraCopies, duplicateDecision } from "../../../src/engine/faults/packet-duplicate.ts";
import { KEY } from "./helpers.ts";

const N = 100_000;
const draws = new Draws(KEY);
const at = (cell: number) => ({ direction: 0, exchange: 0, cell, split: 0 }) as const;

test("the share of packets that are hit is the probability, and copies are spread evenly over 1 to maxExtra", () => {
  const seen = [0, 0, 0, 0, 0];
  for (let n = 0; n < N; n++) seen[drawExtraCopies(draws, at(n), { ppm: 200_000, maxExtra: 4 })]!++;
  const hit = N - seen[0]!;
  // Five standard errors.
  expect(Math.abs(hit - 0.2 * N)).toBeLessThan(5 * Math.sqrt(N * 0.2 * 0.8));
  for (const count of seen.slice(1)) expect(Math.abs(count - hit / 4)).toBeLessThan(5 * Math.sqrt(hit * 0.25 * 0.75));
});

test("maxExtra changes how often a packet arrives, not which packets are hit", () => {
  for (let n = 0; n < 1000; n++) {
    const once = drawExtraCopies(draws, at(n), { ppm: 300_000, maxExtra: 1 });
    expect(drawExtraCopies(draws, at(n), { ppm: 300_000, maxExtra: 9 }) > 0).toBe(once === 1);
  }
});

test("without the fault nothing is drawn, and at 100% every packet is hit", () => {
  expect(drawExtraCopies(draws, at(0), undefined)).toBe(0);
  expect(drawExtraCopies(draws, at(0), { ppm: 0, maxExtra: 3 })).toBe(0);
  for (let n = 0; n < 100; n++) expect(drawExtraCopies(draws, at(n), { ppm: 1_000_000, maxExtra: 1 })).toBe(1);
});

test("the event says how many copies follow", () => {
  expect(duplicateDecision(at(3), 7, 100, 2)).toMatchObject({
    fault: "packet_duplicate",
    decision: "extra x2",
    bytes: 100,
    cell: 3,
    delayNs: 0,
  });
});
