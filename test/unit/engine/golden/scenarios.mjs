// The golden scenarios, as plain JavaScript that takes the engine as an argument: the unit tests run them on the sources, and every
// version of Node on the built package.
const MS = 1e6;
const MSS = 1460;

const NO_FAULTS = {
  latencyNs: 0,
  jitterNs: 0,
  lossPpm: 0,
  burst: 1,
  rateBps: Infinity,
  correlatedLoss: undefined,
  congestion: "none",
  duplicate: undefined,
  reorder: undefined,
};

const GILBERT_ELLIOTT = { goodToBadPpm: 200_000, badToGoodPpm: 300_000, lossGoodPpm: 10_000, lossBadPpm: 800_000 };

const line = (d) =>
  `${d.atNs} ${d.direction}:${d.exchange}.${d.cell}.${d.split} ${d.bytes} ${d.fault} ${d.decision} ${d.delayNs}${d.code === undefined ? "" : ` ${d.code}`}`;

/** What each scenario releases and decides, by name. */
export function goldenScenarios({ DirectionEngine, planConnect }) {
  /** A few requests of different length, in chunks, with a pause within one, and the end. */
  const conversation = (given, direction) => {
    const faults = { ...NO_FAULTS, ...given };
    const log = [];
    const engine = new DirectionEngine({
      direction,
      faults,
      key: { seed: 42n, flowHash: 0xfan },
      rttNs: 2 * faults.latencyNs + faults.jitterNs / 2,
      onDecision: (decision) => void log.push(decision),
    });
    const releases = [];
    const runTo = (untilNs) => {
      for (let atNs = engine.nextAtNs(); atNs <= untilNs && atNs < Infinity; atNs = engine.nextAtNs()) {
        const bytes = engine.advance(atNs);
        if (bytes > 0) releases.push([atNs, bytes]);
        if (engine.failure() !== undefined) break;
      }
    };
    const push = (bytes, atNs) => {
      runTo(atNs);
      engine.push(bytes, atNs);
    };
    push(6 * MSS + 200, 0);
    push(300, 5 * MS);
    push(300, 60 * MS);
    for (let i = 1; i <= 6; i++) {
      runTo(i * 200 * MS);
      engine.peerReleased(i * 200 * MS);
      push(100 * i * i, (i * 200 + 1) * MS);
    }
    engine.end(1300 * MS);
    runTo(Number.MAX_VALUE);
    return { releases, decisions: log.map(line) };
  };

  const connects = () => {
    const up = { ...NO_FAULTS, latencyNs: 30 * MS, jitterNs: 10 * MS, lossPpm: 300_000 };
    const down = { ...up, latencyNs: 20 * MS, lossPpm: 100_000 };
    return Array.from({ length: 12 }, (_, attempt) => {
      const key = { seed: 42n, flowHash: 0xc0n };
      const plan = planConnect({ up, down, timeoutConnectNs: 6e9, connectionError: { kind: "refused", ppm: 200_000 }, key, attempt });
      return { ...plan, dialAfterNs: String(plan.dialAfterNs), decisions: plan.decisions.map(line) };
    });
  };

  return {
    "latency-and-jitter": () => conversation({ latencyNs: 40 * MS, jitterNs: 15 * MS }, 0),
    rate: () => conversation({ rateBps: 1e6, latencyNs: 10 * MS }, 1),
    "packet-loss": () => conversation({ latencyNs: 50 * MS, lossPpm: 250_000 }, 0),
    "everything-at-once": () => conversation({ latencyNs: 20 * MS, jitterNs: 9 * MS, lossPpm: 150_000, burst: 3, rateBps: 2e6 }, 1),
    "correlated-loss": () => conversation({ latencyNs: 30 * MS, correlatedLoss: GILBERT_ELLIOTT }, 0),
    reno: () => conversation({ latencyNs: 20 * MS, lossPpm: 100_000, congestion: "reno", rateBps: 5e6 }, 1),
    cubic: () => conversation({ latencyNs: 50 * MS, jitterNs: 5 * MS, lossPpm: 200_000, congestion: "cubic" }, 0),
    held: () => conversation({ latencyNs: 50 * MS, lossPpm: 1_000_000 }, 0),
    connect: connects,
  };
}
