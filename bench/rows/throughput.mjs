// Work whose measure is a ratio to the same work done directly: how much slower traffic gets.
const PASSING = ["direct", "steered", "scope", "toxiproxy"];
const ALL = ["direct", "idle", "steered", "scope", "policy", "toxiproxy"];
/** Modes in which there is a relay, or a proxy, whose CPU time can be told. */
const RELAYED = ["steered", "scope", "policy", "toxiproxy"];
/** Every packet is decided, held and released; the delay is small enough that the window does not bound the throughput. */
const policy = { latency: "1ms" };
/** Enough to see that everything runs. */
const quickModes = ["direct", "steered", "toxiproxy"];
const pass = ["steered", "scope"];

const httpCpu = {
  work: "http-cpu",
  port: "http",
  // Two processes that do the same differ by some percent: many short pairs tell more than few long ones.
  rounds: 40,
  leastRounds: 20,
  budgetMs: 100_000,
  modes: ["direct", "idle", "control"],
  quickModes: ["direct", "idle"],
  task: { count: 2000 },
  quick: { count: 200 },
  metrics: [
    {
      key: "cpuUs",
      label: "CPU per http request, µs",
      goals: [
        { of: ["idle"], over: "direct", atMost: 1.02 },
        { of: ["idle"], over: "direct", atMost: 1.03, upper: true },
      ],
    },
  ],
};

const bulk = (direction, flows) => ({
  work: "bulk",
  port: "bulk",
  rounds: 5,
  modes: flows === 1 ? ALL : ALL.filter((mode) => mode !== "idle"),
  policy,
  task: { direction, flows, megabytes: 400 },
  quick: { megabytes: 10 },
  quickModes: flows === 1 ? ["direct", "policy", "toxiproxy"] : ["steered"],
  inQuick: flows !== 8,
  metrics: [
    {
      key: "mbPerS",
      label: `bulk ${direction}, ${flows} ${flows === 1 ? "flow" : "flows"}, MB/s`,
      goals:
        flows === 1
          ? [
              { of: pass, over: "direct", atLeast: 0.4 },
              { of: pass, over: "toxiproxy", atLeast: 1.5 },
            ]
          : [],
    },
    ...(flows === 1
      ? [
          { key: "programMs", label: `bulk ${direction}: CPU of the program's own thread, ms per GB`, linux: true },
          { key: "relayMs", label: `bulk ${direction}: CPU of the relay's thread (of Toxiproxy), ms per GB`, linux: true, modes: RELAYED },
        ]
      : []),
  ],
});

const roundTrips = {
  work: "round-trips",
  port: "echo",
  rounds: 5,
  modes: ALL,
  policy,
  task: { count: 10_000 },
  // A trip takes more than 2 ms there.
  tasks: { policy: { count: 1000 } },
  quick: { count: 100 },
  quickModes: [...quickModes, "policy"],
  metrics: [
    { key: "p50Us", label: "64-byte round trip, p50, µs", goals: [{ of: pass, over: "toxiproxy", atMost: 1 }] },
    { key: "p99Us", label: "64-byte round trip, p99, µs", goals: [{ of: pass, over: "toxiproxy", atMost: 1 }] },
    { key: "programMs", label: "CPU of the program's own thread, ms per 1,000 round trips", linux: true },
    { key: "relayMs", label: "CPU of the relay's thread (of Toxiproxy), ms per 1,000 round trips", linux: true, modes: RELAYED },
  ],
};

const connects = {
  work: "connects",
  port: "echo",
  rounds: 3,
  modes: ALL,
  policy,
  task: { count: 6000, parallel: 64 },
  tasks: { policy: { count: 3000 } },
  quick: { count: 128 },
  quickModes,
  metrics: [
    { key: "perS", label: "new connections, 64 at once, per s", goals: [{ of: pass, over: "toxiproxy", atLeast: 1 }] },
    { key: "programUs", label: "new connection: CPU of the program's own thread, µs", linux: true },
    { key: "relayUs", label: "new connection: CPU of the relay's thread (of Toxiproxy), µs", linux: true, modes: RELAYED },
  ],
};

const http = (client, keepAlive) => ({
  work: "http",
  port: "http",
  rounds: 5,
  modes: ["direct", "idle", ...PASSING.slice(1)],
  task: { client, keepAlive, count: keepAlive ? 4000 : 2000 },
  quick: { count: 50 },
  quickModes: ["direct", "steered"],
  inQuick: keepAlive === (client === "fetch"),
  metrics: [{ key: "perS", label: `http requests, ${client}, ${keepAlive ? "keep-alive" : "a connection each"}, 8 at once, per s` }],
});

const tls = (protocol) => ({
  work: "tls-bulk",
  port: protocol,
  rounds: 5,
  modes: PASSING,
  task: { protocol, megabytes: 200 },
  quick: { megabytes: 2 },
  quickModes: ["direct", "scope"],
  metrics: [{ key: "mbPerS", label: `${protocol} bulk down, 1 flow, MB/s` }],
});

const udp = {
  work: "udp",
  port: "echo",
  rounds: 5,
  modes: ALL.filter((mode) => mode !== "toxiproxy"),
  policy,
  task: { count: 20_000 },
  tasks: { policy: { count: 4000 } },
  quick: { count: 200 },
  quickModes: ["direct", "policy"],
  metrics: [{ key: "perS", label: "UDP datagrams of 64 bytes there and back, 16 on their way, per s" }],
};

export const throughput = [
  httpCpu,
  ...[1, 8, 64].flatMap((flows) => [bulk("down", flows), bulk("up", flows)]),
  roundTrips,
  connects,
  ...[true, false].flatMap((keepAlive) => [http("http", keepAlive), http("fetch", keepAlive)]),
  tls("https"),
  tls("h2"),
  udp,
];
