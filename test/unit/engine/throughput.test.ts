/** Tier B of the loss model: what loss does to a bulk transfer, against real TCP and against the formulas. Seeds are fixed. */
import { describe, expect, test } from "vitest";
import { bulk, meanAndError } from "./bulk.ts";
import { MS } from "./helpers.ts";
import { LINUX_CELLS } from "./linux-throughput.ts";
import { mathisBps, padhyeBps, tfrcTerm } from "./throughput-formulas.ts";

const RUNS = 20;

interface Simulated {
  readonly mbps: { mean: number; error: number };
  readonly laterMbps: { mean: number; error: number };
  readonly entries: number;
}

const simulated = new Map<string, Simulated>();

/** The mean of 20 runs of 45 s of virtual time on the link that the measurements had; each cell is simulated once. */
function simulate(congestion: "reno" | "cubic", rttMs: number, loss: number, linkMbps = 100): Simulated {
  const key = `${congestion} ${rttMs} ${loss} ${linkMbps}`;
  const known = simulated.get(key);
  if (known !== undefined) return known;
  const faults = { lossPpm: loss * 1e6, rateBps: linkMbps * 1e6, congestion };
  const runs = Array.from({ length: RUNS }, (_, seed) => bulk(faults, rttMs * MS, seed));
  const result = {
    mbps: meanAndError(runs.map((run) => run.mbps)),
    laterMbps: meanAndError(runs.map((run) => run.laterMbps)),
    entries: Math.max(...runs.map((run) => run.entries)),
  };
  simulated.set(key, result);
  return result;
}

test.each(LINUX_CELLS)(
  "$algorithm at $rttMs ms and a loss of $loss on $linkMbps Mbit/s comes within 20 % of Linux ($mbps Mbit/s)",
  (cell) => {
    const { mbps } = simulate(cell.algorithm, cell.rttMs, cell.loss, cell.linkMbps);
    const allowed = 0.2 * cell.mbps + 3 * Math.sqrt(mbps.error ** 2 + cell.errorMbps ** 2);
    expect(Math.abs(mbps.mean - cell.mbps), `${mbps.mean} ± ${mbps.error} Mbit/s in the model`).toBeLessThan(allowed);
  },
);

test.each(["reno", "cubic"] as const)("over all cells %s is neither fast nor slow", (algorithm) => {
  const cells = LINUX_CELLS.filter((cell) => cell.algorithm === algorithm && cell.runs > 1);
  const ratios = cells.map(({ rttMs, loss, linkMbps, mbps }) => simulate(algorithm, rttMs, loss, linkMbps).mbps.mean / mbps);
  expect(Math.abs(meanAndError(ratios).mean - 1)).toBeLessThan(0.08);
});

test("memory is bounded: records are those of the bytes that are held, and of their acknowledgements", () => {
  for (const { algorithm, rttMs, loss, linkMbps } of LINUX_CELLS) {
    // 4 MiB are 2,900 packets; as much again can be released and not acknowledged yet.
    expect(simulate(algorithm, rttMs, loss, linkMbps).entries).toBeLessThan(6000);
  }
});

describe("formulas", () => {
  test.each([
    [2, [3.15, 0.928, 0.336, 0.199]],
    [1, [4.467, 1.323, 0.479, 0.279]],
  ] as const)("Padhye's full model with b = %i", (b, mbps) => {
    [0.001, 0.01, 0.05, 0.1].forEach((p, i) => expect(padhyeBps(1460, 0.1, p, b, 0.3) / 1e6).toBeCloseTo(mbps[i]!, 3));
  });

  test("Mathis", () => {
    expect(mathisBps(1460, 0.1, 0.01) / 1e6).toBeCloseTo(1.43, 2);
    expect(mathisBps(1460, 0.02, 0.01) / 1e6).toBeCloseTo(7.15, 2);
    expect(mathisBps(1460, 0.1, 0.001) / 1e6).toBeCloseTo(4.52, 2);
    expect(mathisBps(1460, 0.1, 0.05) / 1e6).toBeCloseTo(0.64, 2);
    expect(mathisBps(1460, 0.1, 0.01, Math.sqrt(3 / 4))).toBeCloseTo(mathisBps(1460, 0.1, 0.01) / Math.SQRT2, 6);
  });

  // linux/net/dccp/ccids/lib/tfrc_equation.c: 10⁶·f(p).
  test.each([
    [0.0001, 8172],
    [0.001, 26_052],
    [0.005, 60_335],
    [0.01, 89_021],
    [0.02, 136_520],
    [0.05, 271_305],
    [0.1, 564_939],
    [0.2, 1_863_717],
  ])("TFRC's f(%f)", (p, millionths) => {
    expect(Math.abs(tfrcTerm(p) * 1e6 - millionths)).toBeLessThanOrEqual(1);
  });

  // Formulas know no start-up: the first 5 s are left out. Timeouts, which Mathis leaves out, cost more the more is lost.
  test.each([
    [20, 0.001],
    [20, 0.01],
    [50, 0.005],
    [50, 0.02],
    [100, 0.001],
    [100, 0.01],
    [100, 0.05],
    [200, 0.01],
  ])("Reno at %i ms and a loss of %f lies between Padhye's model and Mathis's", (rttMs, loss) => {
    const { mean, error } = simulate("reno", rttMs, loss).laterMbps;
    const rttS = rttMs / 1e3;
    expect(mean + 3 * error).toBeGreaterThan(padhyeBps(1460, rttS, loss, 1, rttS + 0.2) / 1e6);
    expect(mean - 3 * error).toBeLessThan(mathisBps(1460, rttS, loss) / 1e6);
  });
});
