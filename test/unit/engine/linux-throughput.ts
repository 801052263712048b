/**
 * Bulk throughput of real TCP under random loss, to hold the model against.
 *
 * Measured with Linux 6.18: a sender and a receiver in network namespaces of their own, TUN devices with an MTU of 1500 and without offloads,
 * and a user-space link between them: 100 Mbit/s (or what a row says), half of the round trip in each direction, a queue without bounds, independent loss of
 * data packets only, acknowledgements kept. Default settings otherwise (timestamps on: 1448 bytes of payload per packet).
 * Goodput: bytes that the receiving program had read 45 s after the connection was made, ÷ 45 s. The start-up counts, so the rare-loss
 * cells are above the equilibrium that formulas give, and scatter: the standard error is that of the mean.
 */
export interface MeasuredCell {
  readonly algorithm: "reno" | "cubic";
  readonly rttMs: number;
  readonly loss: number;
  readonly linkMbps: number;
  readonly mbps: number;
  readonly errorMbps: number;
  readonly runs: number;
}

type Mean = readonly [mbps: number, errorMbps: number];
type Row = readonly [rttMs: number, loss: number, reno: Mean, cubic: Mean, linkMbps?: number];

const TEN_RUNS: readonly Row[] = [
  [10, 0.02, [8.584, 0.104], [7.594, 0.056]],
  [20, 0.001, [23.3, 0.444], [22.87, 0.403]],
  [20, 0.01, [6.705, 0.113], [6.016, 0.11]],
  [20, 0.05, [2.607, 0.033], [2.008, 0.029]],
  [50, 0.005, [4.276, 0.089], [4.008, 0.14]],
  [50, 0.02, [1.839, 0.033], [1.734, 0.037]],
  [100, 0.001, [6.347, 0.422], [6.39, 0.493]],
  [100, 0.01, [1.428, 0.046], [1.421, 0.059]],
  [100, 0.05, [0.553, 0.016], [0.51, 0.018]],
  [200, 0.001, [3.415, 0.26], [5.569, 0.231]],
  [200, 0.01, [0.721, 0.034], [0.807, 0.039]],
];

/** Links that the transfer fills from time to time, so that its packets queue. */
const EIGHT_RUNS: readonly Row[] = [
  [20, 0.01, [4.329, 0.038], [4.257, 0.026], 5],
  [50, 0.01, [2.333, 0.035], [2.268, 0.028], 4],
  [50, 0.001, [8.205, 0.126], [8.423, 0.129], 10],
  [100, 0.001, [5.288, 0.196], [5.606, 0.389], 10],
];

/** Measured before, one run of 45 s each: no standard error is known. */
const SINGLE_RUNS: readonly Row[] = [
  [20, 0.01, [6.34, 0], [5.61, 0]],
  [100, 0.001, [5.46, 0], [5.85, 0]],
  [100, 0.01, [1.52, 0], [1.45, 0]],
  [100, 0.05, [0.545, 0], [0.493, 0]],
];

const cells = (rows: readonly Row[], runs: number): MeasuredCell[] =>
  (["reno", "cubic"] as const).flatMap((algorithm) =>
    rows.map(([rttMs, loss, reno, cubic, linkMbps = 100]) => {
      const [mbps, errorMbps] = algorithm === "reno" ? reno : cubic;
      return { algorithm, rttMs, loss, linkMbps, mbps, errorMbps, runs };
    }),
  );

export const LINUX_CELLS: readonly MeasuredCell[] = [...cells(TEN_RUNS, 10), ...cells(EIGHT_RUNS, 8), ...cells(SINGLE_RUNS, 1)];
