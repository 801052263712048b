/**
 * Gilbert-Elliott against its closed forms (link model §2). Shares and their standard errors are worked out here, not in the code that is
 * tested; the seed is fixed, so nothing can flake.
 */
import { describe, expect, test } from "vitest";
import { Draws, type Position } from "../../../src/engine/draw.ts";
import { planConnect } from "../../../src/engine/connect.ts";
import { CorrelatedLoss } from "../../../src/engine/faults/correlated-loss.ts";
import { countFailures } from "../../../src/engine/faults/loss.ts";
import type { CorrelatedLossFault } from "../../../src/engine/types.ts";
import { drain, KEY, MS, MSS, NO_FAULTS, S, sum, traced } from "./helpers.ts";

const SEED = 20_240_601n;

type Row = readonly [p: number, r: number, lossBad: number, lossGood: number];

const faultOf = ([p, r, lossBad, lossGood]: Row): CorrelatedLossFault => ({
  goodToBadPpm: p * 1e6,
  badToGoodPpm: r * 1e6,
  lossGoodPpm: lossGood * 1e6,
  lossBadPpm: lossBad * 1e6,
});

const lossOf = (row: Row, flowHash = 1n): CorrelatedLoss => new CorrelatedLoss(new Draws({ seed: SEED, flowHash }), faultOf(row));
const cellAt = (cell: number): Position => ({ direction: 0, exchange: 0, cell, split: 0 });

function fates(row: Row, count: number): Uint8Array {
  const loss = lossOf(row);
  return Uint8Array.from({ length: count }, (_, cell) => (loss.lost(cellAt(cell), 1) ? 1 : 0));
}

interface Shares {
  readonly loss: number;
  /** P(loss | the packet before was lost). */
  readonly conditional: number;
  readonly meanRun: number;
}

function sharesOf(lost: Uint8Array): Shares {
  let losses = 0;
  let pairs = 0;
  lost.forEach((fate, i) => {
    losses += fate;
    pairs += fate & (lost[i - 1] ?? 0);
  });
  return { loss: losses / lost.length, conditional: pairs / losses, meanRun: losses / (losses - pairs) };
}

/** The standard error of each share, from 100 batches: losses depend on each other, so no formula for independent packets does. */
function standardErrors(lost: Uint8Array): Shares {
  const size = Math.floor(lost.length / 100);
  const batches = Array.from({ length: 100 }, (_, i) => sharesOf(lost.subarray(i * size, (i + 1) * size)));
  const error = (of: (shares: Shares) => number): number => {
    const mean = batches.reduce((total, batch) => total + of(batch), 0) / 100;
    return Math.sqrt(batches.reduce((total, batch) => total + (of(batch) - mean) ** 2, 0) / 99 / 100);
  };
  return { loss: error((b) => b.loss), conditional: error((b) => b.conditional), meanRun: error((b) => b.meanRun) };
}

/** SE² = L(1−L)/N·(1+2cρ/(1−ρ)), ρ = 1−p−r, c = π_B·π_G·(e_B−e_G)²/(L(1−L)). */
function lossError([p, r, lossBad, lossGood]: Row, loss: number, count: number): number {
  const bad = p / (p + r);
  const rho = 1 - p - r;
  const c = (bad * (1 - bad) * (lossBad - lossGood) ** 2) / (loss * (1 - loss));
  return Math.sqrt(((loss * (1 - loss)) / count) * (1 + (2 * c * rho) / (1 - rho)));
}

/** The table of link model §2; the size of the sample tells a model that is `tells` off. */
const TABLE = [
  { row: [0.01, 0.25, 1, 0], loss: 0.038_462, conditional: 0.75, meanRun: 4, count: 1_700_000, tells: 0.1 },
  { row: [0.05, 0.5, 1, 0], loss: 0.090_909, conditional: 0.5, meanRun: 2, count: 1_700_000, tells: 0.1 },
  { row: [0.001, 0.1, 0.5, 0.0001], loss: 0.005_05, conditional: 0.4412, meanRun: 1.7895, count: 3_000_000, tells: 0.25 },
  { row: [0.02, 0.2, 0.8, 0.01], loss: 0.081_818, conditional: 0.5735, meanRun: 2.3448, count: 1_700_000, tells: 0.1 },
] as const;

describe.each(TABLE)("p, r, e_B, e_G = $row", ({ row, loss, conditional, meanRun, count, tells }) => {
  const lost = fates(row, count);
  const actual = sharesOf(lost);
  const errors = standardErrors(lost);

  test("loses the share that the chain says", () => {
    const error = lossError(row, loss, count);
    expect(Math.abs(actual.loss - loss), `seed ${SEED}`).toBeLessThan(5 * error);
    expect(5 * error, "the sample tells a wrong model").toBeLessThan(tells * loss);
  });

  test("loses in bursts of the length that the chain says", () => {
    expect(Math.abs(actual.conditional - conditional), `seed ${SEED}`).toBeLessThan(5 * errors.conditional);
    expect(Math.abs(actual.meanRun - meanRun), `seed ${SEED}`).toBeLessThan(5 * errors.meanRun);
    // The nearest wrong models: independent losses of the same share, and bursts that are a third shorter.
    expect(conditional - actual.loss).toBeGreaterThan(20 * errors.conditional);
    const [p, r, lossBad, lossGood] = row;
    const other = sharesOf(fates([p * 1.5, r * 1.5, lossBad, lossGood], count));
    expect(Math.abs(other.conditional - conditional)).toBeGreaterThan(5 * errors.conditional);
  });
});

test("runs of losses are geometric where BAD loses all and GOOD nothing", () => {
  const r = 0.25;
  const lost = fates([0.01, r, 1, 0], 1_700_000);
  const counts = new Map<number, number>();
  let run = 0;
  let runs = 0;
  for (const fate of lost) {
    if (fate === 1) run++;
    else if (run > 0) {
      counts.set(Math.min(run, 12), (counts.get(Math.min(run, 12)) ?? 0) + 1);
      runs++;
      run = 0;
    }
  }
  let chi2 = 0;
  for (let length = 1; length <= 12; length++) {
    const expected = runs * (length < 12 ? r * (1 - r) ** (length - 1) : (1 - r) ** 11);
    chi2 += ((counts.get(length) ?? 0) - expected) ** 2 / expected;
  }
  // 11 degrees of freedom.
  expect(chi2, `seed ${SEED}`).toBeLessThan(11 + 5 * Math.sqrt(22));
});

test("the first packets of a flow see the mean loss: a flow does not always begin GOOD", () => {
  const row: Row = [0.001, 0.1, 0.5, 0.0001];
  const flows = 100_000;
  let losses = 0;
  for (let flow = 0; flow < flows; flow++) {
    const loss = lossOf(row, BigInt(flow));
    for (let cell = 0; cell < 5; cell++) if (loss.lost(cellAt(cell), 1)) losses++;
  }
  const share = losses / flows / 5;
  // Five packets of one flow at full correlation: the largest standard error there can be. Beginning GOOD would lose 28 % of it.
  const error = Math.sqrt((0.005_05 * (1 - 0.005_05)) / flows);
  expect(Math.abs(share - 0.005_05), `seed ${SEED}`).toBeLessThan(5 * error);
  expect(0.005_05 * (1 - 0.28)).toBeGreaterThan(10 * error);
});

test("two runs whose states differ agree again after a few packets", () => {
  const row: Row = [0.05, 0.2, 1, 0];
  let longest = 0;
  for (let flow = 0; flow < 200; flow++) {
    const whole = lossOf(row, BigInt(flow));
    const late = lossOf(row, BigInt(flow));
    for (let cell = 0; cell < 50; cell++) whole.lost(cellAt(cell), 1);
    let differs = 0;
    for (let cell = 50; cell < 250; cell++) if (whole.lost(cellAt(cell), 1) !== late.lost(cellAt(cell), 1)) differs = cell - 49;
    longest = Math.max(longest, differs);
  }
  // They part company with a probability of 1 − p − r = 0.75 per packet at most: 60 packets are 3·10⁻⁸.
  expect(longest).toBeGreaterThan(0);
  expect(longest).toBeLessThan(60);
});

describe("chains at the edge", () => {
  test("that never change stay GOOD", () => {
    expect(sharesOf(fates([0, 0, 1, 0], 1000)).loss).toBe(0);
    expect(sharesOf(fates([0, 0, 0, 1], 1000)).loss).toBe(1);
  });

  test("that always change alternate", () => {
    const lost = fates([1, 1, 1, 0], 1000);
    lost.forEach((fate, i) => expect(fate).toBe((lost[0]! + i) % 2));
  });

  test("that never turn bad, or never turn good again, have one state", () => {
    expect(sharesOf(fates([0, 0.5, 1, 0], 1000)).loss).toBe(0);
    expect(sharesOf(fates([0.5, 0, 1, 0], 1000)).loss).toBe(1);
  });
});

test("a retransmission is lost with the mean loss, also behind a burst", () => {
  const loss = lossOf([0.01, 0.25, 1, 0]);
  let packets = 0;
  let failures = 0;
  for (let cell = 0; cell < 500_000; cell++) {
    const failed = countFailures(loss, cellAt(cell));
    if (failed > 0) packets++;
    failures += failed;
  }
  const expected = 1 / (1 - 0.038_462);
  expect(Math.abs(failures / packets - expected), `seed ${SEED}`).toBeLessThan(5 * Math.sqrt(0.04 / packets));
});

test.each([
  ["in both states", [0.1, 0.1, 1, 1]],
  ["in a state without an end", [0.5, 0, 1, 0]],
] as const)("100 %% loss %s holds the bytes and ends as TCP gives up", (_where, row) => {
  const { engine, log } = traced({ correlatedLoss: faultOf(row), latencyNs: 50 * MS });
  engine.push(10 * MSS, 0);
  expect(engine.blocked()).toBe(true);
  expect(drain(engine)).toEqual([]);
  expect(engine.failure()).toEqual({ atNs: 924.6 * S, code: "ETIMEDOUT" });
  expect(log.filter((d) => d.fault !== "latency").every((d) => d.fault === "correlated_loss" && d.decision === "held")).toBe(true);
});

test("a loss next to certainty ends as well: it delivers, or TCP gives up", () => {
  const { engine } = traced({ correlatedLoss: faultOf([0.999_999, 0.000_001, 1, 0]), latencyNs: 50 * MS });
  engine.push(10 * MSS, 0);
  drain(engine);
  expect(engine.failure()).toEqual({ atNs: 924.6 * S, code: "ETIMEDOUT" });
});

test("a stream arrives whole, and its losses carry the name of their fault", () => {
  const { engine, log } = traced({ correlatedLoss: faultOf([0.05, 0.25, 0.9, 0.01]), burst: 5, latencyNs: 20 * MS });
  engine.push(2000 * MSS, 0);
  expect(sum(drain(engine))).toBe(2000 * MSS);
  const losses = log.filter((d) => d.decision.startsWith("lost"));
  expect(losses.length).toBeGreaterThan(200);
  expect(losses.every((d) => d.fault === "correlated_loss")).toBe(true);
  expect(log.filter((d) => d.decision === "recovered")).toHaveLength(losses.length);
});

describe("a connect", () => {
  const plan = (row: Row, attempt: number): ReturnType<typeof planConnect> =>
    planConnect({
      up: { ...NO_FAULTS, correlatedLoss: faultOf(row) },
      down: NO_FAULTS,
      timeoutConnectNs: undefined,
      connectionError: undefined,
      key: KEY,
      attempt,
    });

  test("loses its SYNs with the mean loss, each on its own", () => {
    const attempts = 20_000;
    const plans = Array.from({ length: attempts }, (_, attempt) => plan([0.1, 0.1, 0.8, 0.2], attempt));
    for (const lost of [1, 2]) {
      const share = plans.filter(({ lostSyns }) => lostSyns >= lost).length / attempts;
      const expected = 0.5 ** lost;
      expect(Math.abs(share - expected)).toBeLessThan(5 * Math.sqrt((expected * (1 - expected)) / attempts));
    }
    const { decisions } = plans.find(({ lostSyns }) => lostSyns === 2)!;
    expect(decisions.map((d) => [d.fault, d.decision, d.delayNs])).toEqual([["correlated_loss", "lost x2", 2 * S]]);
  });

  test("that nothing gets through fails as a lost one does", () => {
    expect(plan([0.1, 0.1, 1, 1], 0)).toMatchObject({
      dialAfterNs: Infinity,
      error: { code: "ETIMEDOUT", atNs: 131 * S, fault: "correlated_loss" },
    });
  });
});
