// `npm run bench:engine [-- --quick]`: how many packets a second the engine decides on one core, in virtual time, without sockets.
//
// A bulk transfer of packets of 1460 bytes with latency, jitter, packet_loss and rate on: each packet's jitter and loss are drawn, it is
// serialised, sent, recovered where it was lost, acknowledged, and released. CPU time of the whole process is counted, garbage collection
// included, so that other programs on the machine take nothing away. Every figure is the median of several runs; nothing here passes or
// fails.
import { DirectionEngine } from "../build/engine/direction.js";

const quick = process.argv.includes("--quick");
const RUNS = quick ? 3 : 11;
const MSS = 1460;
const CHUNK = 65_536;
const HELD = 4 * 1024 * 1024;
const MS = 1e6;

const FOUR_FAULTS = {
  latencyNs: 20 * MS,
  jitterNs: 2 * MS,
  lossPpm: 10_000,
  burst: 1,
  rateBps: 100e6,
  correlatedLoss: undefined,
  congestion: "none",
  duplicate: undefined,
  reorder: undefined,
};

/** Passes `packets` packets through an engine, and returns how many of them it decided in a second of CPU time. */
function packetsPerSecond(faults, packets, onDecision) {
  const rttNs = 2 * faults.latencyNs + faults.jitterNs;
  const engine = new DirectionEngine({ direction: 0, faults, key: { seed: 1n, flowHash: 1n }, rttNs, onDecision });
  let left = packets * MSS;
  const fill = (nowNs) => {
    for (; left > 0 && engine.heldBytes() + CHUNK <= HELD; left -= CHUNK) engine.push(Math.min(CHUNK, left), nowNs);
  };
  const start = process.cpuUsage();
  fill(0);
  for (let atNs = engine.nextAtNs(); atNs < Infinity; atNs = engine.nextAtNs()) {
    engine.advance(atNs);
    fill(atNs);
  }
  const { user, system } = process.cpuUsage(start);
  return (packets * 1e6) / (user + system);
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

const rows = [];
function measure(label, faults, packets, onDecision) {
  packetsPerSecond(faults, packets, onDecision); // warm-up
  const perSecond = median(Array.from({ length: RUNS }, () => packetsPerSecond(faults, packets, onDecision)));
  rows.push([label, packets.toLocaleString("en"), `${(perSecond / 1e6).toFixed(2)} M`, `${(1e9 / perSecond).toFixed(0)} ns`]);
}

for (const packets of quick ? [20_000] : [20_000, 100_000, 500_000]) measure("four faults, congestion none", FOUR_FAULTS, packets);
const packets = quick ? 20_000 : 100_000;
let recorded = 0;
measure("the same, every decision recorded", FOUR_FAULTS, packets, () => void recorded++);
measure("four faults, reno", { ...FOUR_FAULTS, congestion: "reno" }, packets);
measure("four faults, cubic", { ...FOUR_FAULTS, congestion: "cubic" }, packets);
const correlatedLoss = { goodToBadPpm: 3000, badToGoodPpm: 250_000, lossGoodPpm: 0, lossBadPpm: 900_000 };
measure("correlated_loss for packet_loss, none", { ...FOUR_FAULTS, lossPpm: 0, correlatedLoss }, packets);
measure("latency, jitter and rate, no loss", { ...FOUR_FAULTS, lossPpm: 0 }, packets);
// Flows that were used once and wait for nothing: a relay looks at the ones whose time has come only.
const idle = Array.from({ length: 10_000 }, (_, n) => {
  const engine = new DirectionEngine({ direction: 0, faults: FOUR_FAULTS, key: { seed: 1n, flowHash: BigInt(n) }, rttNs: 42 * MS });
  engine.push(MSS, 0);
  for (let atNs = engine.nextAtNs(); atNs < Infinity; atNs = engine.nextAtNs()) engine.advance(atNs);
  return engine;
});
measure(`four faults, ${idle.length.toLocaleString("en")} idle flows beside`, FOUR_FAULTS, packets);

console.log(`Packets that the engine decides on one core, Node ${process.version}, median of ${RUNS} runs\n`);
console.log("| faults | packets | per second of CPU | each |\n|---|---|---|---|");
for (const row of rows) console.log(`| ${row.join(" | ")} |`);
