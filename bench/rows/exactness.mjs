// Work whose measure is an error: how exact the injected network is. Nothing is divided by anything here.
const toxic = (type, stream, attributes) => [{ type, stream, attributes }];

function latency(delayMs, precision) {
  const fine = precision === "fine";
  const name = `latency ${delayMs} ms${fine ? ", precision: fine" : ""}`;
  const timer = fine ? "" : " (direct: a bare timer's own)";
  // What is promised of short delays; a long one is shown.
  const atMost = (limit) => (delayMs > 100 ? [] : [{ of: ["policy"], atMost: limit }]);
  const delayed = ["policy", "toxiproxy"];
  return {
    work: "latency",
    rounds: 3,
    modes: fine ? ["policy"] : ["direct", ...delayed],
    policy: { uplink: { latency: `${delayMs}ms` } },
    toxics: toxic("latency", "upstream", { latency: delayMs }),
    task: { delayMs, samples: delayMs === 1000 ? 100 : 500, install: { precision } },
    quick: { samples: 10 },
    inQuick: delayMs === 5,
    metrics: [
      { key: "p50Ms", label: `${name}: error p50 beyond a timer's, ms${timer}`, plain: true, goals: atMost(fine ? 0.1 : 0.5) },
      { key: "p99Ms", label: `${name}: error p99 beyond a timer's, ms${timer}`, plain: true, goals: atMost(2) },
      { key: "wholeP50Ms", label: `${name}: error p50, a timer's not taken off, ms`, plain: true, modes: delayed },
      {
        key: "earliestMs",
        label: `${name}: soonest arrival less the latency, ms`,
        plain: true,
        worst: "least",
        modes: delayed,
        goals: [{ of: ["policy"], atLeast: 0 }],
      },
    ],
  };
}

const rate = (kbPerS) => ({
  work: "rate",
  port: "bulk",
  rounds: 3,
  modes: ["policy", "toxiproxy"],
  policy: { downlink: { rate: `${kbPerS * 8}kbps` } },
  toxics: toxic("bandwidth", "downstream", { rate: kbPerS }),
  task: { bytesPerS: kbPerS * 1000, seconds: kbPerS < 100 ? 4 : 2 },
  quick: { seconds: 0.5 },
  inQuick: kbPerS === 1000,
  metrics: [
    {
      key: "errorPercent",
      label: `rate ${kbPerS < 1000 ? `${kbPerS} KB/s` : `${kbPerS / 1000} MB/s`}: error, %`,
      plain: true,
      goals: [{ of: ["policy"], atMost: 1 }],
    },
  ],
});

/** The round trip is all on the way down, as Toxiproxy has it, or half of it on each way. */
const longLink = (windowMiB, both = false) => ({
  work: "window",
  port: "bulk",
  rounds: 3,
  modes: both || windowMiB > 4 ? ["policy"] : ["policy", "toxiproxy"],
  policy: both ? { latency: "500ms" } : { downlink: { latency: "1000ms" } },
  toxics: toxic("latency", "downstream", { latency: 1000 }),
  task: { windowMiB, roundTripMs: 1000, roundTrips: 3, install: { window: `${windowMiB}mib` } },
  // A shorter link: that it runs is all that is asked.
  quick: { roundTripMs: 100, roundTrips: 2 },
  quickPolicy: { downlink: { latency: "100ms" } },
  inQuick: windowMiB === 4 && !both,
  metrics: [
    {
      key: "mbPerS",
      label: `bulk under 1,000 ms ${both ? "(500 ms each way)" : "(all downlink)"}, window ${windowMiB} MiB, MB/s`,
      plain: true,
    },
    {
      key: "share",
      label: `the same ÷ (${windowMiB} MiB ÷ round trip)`,
      plain: true,
      modes: ["policy"],
      goals: [
        { of: ["policy"], atLeast: 0.95 },
        { of: ["policy"], atMost: 1.05 },
      ],
    },
  ],
});

const fairness = {
  work: "fairness",
  port: "stamp",
  bulk: true,
  rounds: 5,
  modes: ["direct", "policy", "toxiproxy"],
  policy: { uplink: { latency: "20ms" } },
  toxics: toxic("latency", "upstream", { latency: 20 }),
  task: { count: 400, install: { steer: "always" } },
  quick: { count: 20 },
  metrics: [
    {
      key: "extraMs",
      label: "packets under 20 ms beside a flow at full speed: p99 later than alone, ms (direct: without latency)",
      plain: true,
      goals: [{ of: ["policy"], atMost: 2 }],
    },
    { key: "bulkMbPerS", label: "that flow's speed, MB/s", plain: true },
  ],
};

export const exactness = [
  ...[1, 5, 20, 100, 1000].map((ms) => latency(ms, "normal")),
  ...[1, 5, 20, 100].map((ms) => latency(ms, "fine")),
  ...[10, 100, 1000, 10_000, 100_000].map(rate),
  longLink(4),
  longLink(64),
  longLink(256),
  longLink(4, true),
  fairness,
];
