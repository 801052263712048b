import { expect, test } from "vitest";
import { Draws, type FlowKeyParts, hashFlowKey, hashText, type Position } from "../../../src/engine/draw.ts";
import { FAULT_IDS } from "../../../src/engine/registry.ts";

const at = (cell: number, exchange = 0, split = 0, direction: 0 | 1 = 0): Position => ({ direction, exchange, cell, split });
const draws = (seed: bigint, flowHash = 7n): Draws => new Draws({ seed, flowHash });
const COUNT = 200_000;

/** Mean of x·y over the sample, in standard errors, for x and y uniform and centred: 0 if they are independent. */
function correlation(x: (i: number) => number, y: (i: number) => number): number {
  let total = 0;
  for (let i = 0; i < COUNT; i++) total += (x(i) - 0.5) * (y(i) - 0.5);
  return total / Math.sqrt(COUNT / 144);
}

test("draws are uniform in [0, 1)", () => {
  const bins = Array.from({ length: 64 }, () => 0);
  const d = draws(1n);
  for (let i = 0; i < COUNT; i++) {
    const u = d.uniform(at(i), "jitter", 0);
    bins[Math.floor(u * 64)]!++;
  }
  // A draw outside [0, 1) would have made a bin of its own.
  expect(bins).toHaveLength(64);
  const mean = COUNT / 64;
  const chi2 = bins.reduce((sum, n) => sum + (n - mean) ** 2 / mean, 0);
  // 63 degrees of freedom: mean 63, standard deviation 11.2; five of them up.
  expect(chi2).toBeLessThan(63 + 5 * 11.2);
  expect(chi2).toBeGreaterThan(63 - 5 * 11.2);
});

test.each<[string, (d: Draws, e: Draws) => [(i: number) => number, (i: number) => number]]>([
  ["seeds", (d, e) => [(i) => d.uniform(at(i), "jitter", 0), (i) => e.uniform(at(i), "jitter", 0)]],
  ["cells", (d) => [(i) => d.uniform(at(i), "jitter", 0), (i) => d.uniform(at(i + 1), "jitter", 0)]],
  ["exchanges", (d) => [(i) => d.uniform(at(0, i), "jitter", 0), (i) => d.uniform(at(0, i + 1), "jitter", 0)]],
  ["splits", (d) => [(i) => d.uniform(at(i), "jitter", 0), (i) => d.uniform(at(i, 0, 1), "jitter", 0)]],
  ["directions", (d) => [(i) => d.uniform(at(i), "jitter", 0), (i) => d.uniform(at(i, 0, 0, 1), "jitter", 0)]],
  ["faults", (d) => [(i) => d.uniform(at(i), "jitter", 0), (i) => d.uniform(at(i), "packet_loss", 0)]],
  ["attempts", (d) => [(i) => d.uniform(at(i), "jitter", 0), (i) => d.uniform(at(i), "jitter", 1)]],
])("neighbouring %s are independent", (_name, pair) => {
  const [x, y] = pair(draws(41n), draws(42n));
  expect(Math.abs(correlation(x, y))).toBeLessThan(5);
});

test("neighbouring flow hashes are independent", () => {
  const d = draws(1n, 100n);
  const e = draws(1n, 101n);
  expect(
    Math.abs(
      correlation(
        (i) => d.uniform(at(i), "jitter", 0),
        (i) => e.uniform(at(i), "jitter", 0),
      ),
    ),
  ).toBeLessThan(5);
});

test("all 64 bits of a seed count, and 0 is a seed like any other", () => {
  const values = [0n, 1n, 1n << 31n, 1n << 32n, 1n << 63n, (1n << 64n) - 1n].map((seed) => draws(seed).uniform(at(0), "jitter", 0));
  expect(new Set(values).size).toBe(values.length);
});

test.each([1, 500, 10_000, 250_000, 999_999])("an event of %i ppm happens that often", (ppm) => {
  const d = draws(3n);
  const p = ppm / 1e6;
  let hits = 0;
  for (let i = 0; i < COUNT; i++) if (d.hits(at(i), "packet_loss", 0, ppm)) hits++;
  expect(Math.abs(hits - COUNT * p)).toBeLessThanOrEqual(5 * Math.sqrt(COUNT * p * (1 - p)) + 1);
});

test("0 ppm never happens and 1,000,000 ppm always", () => {
  const d = draws(1n);
  for (let i = 0; i < 1000; i++) {
    expect(d.hits(at(i), "packet_loss", 0, 0)).toBe(false);
    expect(d.hits(at(i), "packet_loss", 0, 1_000_000)).toBe(true);
  }
});

test("fault ids are what recorded runs were made with", () => {
  expect(FAULT_IDS).toEqual({
    latency: 1,
    jitter: 2,
    rate: 3,
    packet_loss: 4,
    burst_loss: 5,
    timeout: 6,
    connection_error: 7,
    correlated_loss: 8,
    half_open: 9,
    packet_duplicate: 10,
    packet_reorder: 11,
    dns: 12,
    session_budget: 13,
    payload_mutation: 14,
    schedule: 15,
  });
});

const PARTS: FlowKeyParts = { policyKeyHash: hashText("slow"), scopeOrdinal: 3, target: "db.test:5432", flowOrdinal: 1, threadPath: "0.2" };

test("hashes are what recorded runs were made with", () => {
  expect(hashText("").toString(16)).toMatchInlineSnapshot(`"1348e23f2dce73e5"`);
  expect(hashText("slow_link").toString(16)).toMatchInlineSnapshot(`"dc3d9ace763cbb6c"`);
  expect(hashFlowKey(PARTS).toString(16)).toMatchInlineSnapshot(`"1b9310c61a7d895"`);
});

test("every part of a flow key changes its hash, and parts do not run into each other", () => {
  const hashes = [
    PARTS,
    { ...PARTS, policyKeyHash: PARTS.policyKeyHash + 1n },
    { ...PARTS, policyKeyHash: PARTS.policyKeyHash ^ (1n << 63n) },
    { ...PARTS, scopeOrdinal: 4 },
    { ...PARTS, flowOrdinal: 2 },
    { ...PARTS, scopeOrdinal: 1, flowOrdinal: 3 },
    { ...PARTS, target: "db.test:5433" },
    { ...PARTS, target: "" },
    { ...PARTS, target: "db.test:54320", threadPath: ".2" },
    { ...PARTS, threadPath: "0.2\0" },
    { ...PARTS, threadPath: "" },
  ].map(hashFlowKey);
  expect(new Set(hashes).size).toBe(hashes.length);
  for (const hash of hashes) expect(hash >= 0n && hash < 1n << 64n).toBe(true);
});
