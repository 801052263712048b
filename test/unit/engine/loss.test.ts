/** Loss shares, sized so that a model that is 10 % off is at least ten standard errors away. The seed is fixed, so nothing can flake. */
import { expect, test } from "vitest";
import { Draws, type Position } from "../../../src/engine/draw.ts";
import { countFailures } from "../../../src/engine/faults/loss.ts";
import { PacketLoss } from "../../../src/engine/faults/packet-loss.ts";

const SEED = 20_240_601n;

function lossShare(ppm: number, burst: number, count: number): { share: number; meanRun: number; meanFailures: number } {
  const loss = new PacketLoss(new Draws({ seed: SEED, flowHash: 1n }), ppm, burst);
  let lost = 0;
  let runs = 0;
  let failures = 0;
  let before = false;
  for (let cell = 0; cell < count; cell++) {
    const failed = countFailures(loss, { direction: 0, exchange: 0, cell, split: 0 });
    if (failed > 0) {
      lost++;
      failures += failed;
      if (!before) runs++;
    }
    before = failed > 0;
  }
  return { share: lost / count, meanRun: lost / runs, meanFailures: failures / lost };
}

test.each([
  [10_000, 1, 1_100_000],
  [50_000, 1, 200_000],
  [200_000, 1, 100_000],
  [10_000, 3, 2_000_000],
  [50_000, 4, 500_000],
])("%i ppm in bursts of %i loses Bp/(1+(B−1)p) of the packets", (ppm, burst, count) => {
  const p = ppm / 1e6;
  const expected = (burst * p) / (1 + (burst - 1) * p);
  const { share, meanFailures } = lossShare(ppm, burst, count);
  // Bursts are correlated: the variance of the count is that of independent packets times 2B−1 at most.
  const standardError = Math.sqrt((expected * (1 - expected) * (2 * burst - 1)) / count);
  expect(Math.abs(share - expected), `seed ${SEED}`).toBeLessThan(5 * standardError);
  expect(5 * standardError, "the sample is large enough to tell a model that is 10 % off").toBeLessThan(0.05 * expected);
  // Retransmissions draw on their own: each further failure has probability p.
  expect(meanFailures).toBeCloseTo(1 / (1 - p), 1);
});

test("a burst is as long as it says: runs last B/(1−p) packets on average", () => {
  const { meanRun } = lossShare(20_000, 5, 500_000);
  expect(Math.abs(meanRun / (5 / (1 - 0.02)) - 1)).toBeLessThan(0.02);
});

test("an n-packet message is untouched with probability (1−p)^n", () => {
  const loss = new PacketLoss(new Draws({ seed: SEED, flowHash: 2n }), 20_000, 1);
  const messages = 100_000;
  const expected = 0.98 ** 10;
  let untouched = 0;
  for (let exchange = 0; exchange < messages; exchange++) {
    let failures = 0;
    for (let cell = 0; cell < 10; cell++) failures += countFailures(loss, { direction: 1, exchange, cell, split: 0 });
    if (failures === 0) untouched++;
  }
  expect(Math.abs(untouched / messages - expected), `seed ${SEED}`).toBeLessThan(5 * Math.sqrt((expected * (1 - expected)) / messages));
});

test("bursts change no draw, only who is lost besides", () => {
  const draws = new Draws({ seed: SEED, flowHash: 3n });
  const single = new PacketLoss(draws, 30_000, 1);
  const bursts = new PacketLoss(draws, 30_000, 3);
  let left = 0;
  for (let cell = 0; cell < 20_000; cell++) {
    const at: Position = { direction: 0, exchange: 0, cell, split: 0 };
    const alone = countFailures(single, at);
    const failures = countFailures(bursts, at);
    const inBurst = left > 0;
    expect(failures > 0).toBe(inBurst || alone > 0);
    expect(failures > 0 && bursts.cause === "burst_loss").toBe(inBurst);
    if (inBurst) left--;
    else if (alone > 0) left = 2;
  }
});
