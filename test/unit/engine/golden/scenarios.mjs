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
export function goldenScenarios({ DatagramDirection, DirectionEngine, PayloadMutation, planConnect, planLookup, Severity }) {
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

  /** Forty datagrams of different length, in a burst and then one by one. */
  const datagrams = (given) => {
    const log = [];
    const flow = new DatagramDirection({
      direction: 0,
      faults: { ...NO_FAULTS, ...given },
      key: { seed: 42n, flowHash: 0xdan },
      windowBytes: 4 * 1024 * 1024,
      onDecision: (decision) => void log.push(decision),
    });
    const arrivals = [];
    const runTo = (untilNs) => {
      for (let atNs = flow.nextAtNs(); atNs <= untilNs && atNs < Infinity; atNs = flow.nextAtNs()) {
        for (const { payload, copy } of flow.advance(atNs)) arrivals.push([atNs, payload, copy]);
      }
    };
    for (let n = 0; n < 40; n++) {
      const nowNs = Math.max(0, n - 20) * 3 * MS;
      runTo(nowNs);
      flow.push(n, 100 + 30 * n, nowNs);
    }
    runTo(Number.MAX_VALUE);
    return { arrivals, decisions: log.map(line) };
  };

  const lookups = () =>
    Array.from({ length: 30 }, (_, n) => {
      const severity = new Severity({ kind: "flapping", onNs: 7 * MS, offNs: 2 * MS, anchor: "scope" }, 0);
      const fault = { delayNs: 5 * MS, timeoutNs: n % 3 === 0 ? 80 * MS : undefined, nxdomainPpm: 300_000 };
      return planLookup(fault, n % 2 === 0 ? "lookup" : "resolver", { seed: 42n, flowHash: BigInt(n) }, severity, n * MS);
    });

  const mutations = () => {
    const common = { ppm: 500_000, uplink: true, downlink: true, minBytes: 0, maxBytes: Infinity, everyNPackets: 2, dryRun: false };
    const details = {
      truncateBytes: 9,
      corruptCount: 3,
      corruptSeed: undefined,
      injectPosition: 4,
      injectData: "<!>",
      maxBufferBytes: 1024,
    };
    const texts = { replaceFind: "ab", replaceWith: "BA-", swapPos1: 0, swapPos2: 5 };
    return ["truncate", "corrupt_bytes", "inject_bytes", "replace_pattern", "corrupt_encoding", "swap_bytes"].map((type) => {
      const log = [];
      const fault = { type, ...common, ...details, ...texts };
      const mutation = new PayloadMutation({
        fault,
        key: { seed: 42n, flowHash: 0xban },
        onDecision: (decision) => void log.push(decision),
      });
      const packets = Array.from({ length: 12 }, (_, cell) => {
        const changed = mutation.datagram(
          new TextEncoder().encode("ab cab abba"),
          { direction: 0, exchange: 0, cell, split: 0 },
          cell * MS,
        );
        return Array.from(changed, (byte) => byte.toString(16).padStart(2, "0")).join("");
      });
      return { type, packets, decisions: log.map(line) };
    });
  };

  return {
    duplicates: () => conversation({ latencyNs: 20 * MS, rateBps: 1e6, duplicate: { ppm: 300_000, maxExtra: 3 } }, 1),
    "stream-reorder": () =>
      conversation({ latencyNs: 20 * MS, reorder: { ppm: 300_000, maxDelayNs: 15 * MS, window: 2, stream: "wait" } }, 0),
    datagrams: () =>
      datagrams({
        latencyNs: 20 * MS,
        jitterNs: 4 * MS,
        rateBps: 2e6,
        lossPpm: 100_000,
        burst: 2,
        duplicate: { ppm: 200_000, maxExtra: 2 },
        reorder: { ppm: 150_000, maxDelayNs: 10 * MS, window: 3, stream: "wait" },
      }),
    lookups,
    mutations,
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
