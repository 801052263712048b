/**
 * The policies that come with faultcore, selectable as `preset:NAME` wherever the name of a policy is taken.
 *
 * Owns: the numbers, each with its source. All flows of a scope share one link (`rate_share: scope`), since a preset is a line, not a
 * connection. Where a source gives a round trip only, each direction takes half of it.
 */
import { compilePolicy } from "./compile.ts";
import type { PolicyFields } from "./fields.ts";
import type { CompiledPolicy } from "./types.ts";

/** A policy that comes with faultcore. */
export interface Preset {
  /** `preset:…`, as it is selected. */
  readonly name: string;
  /** What it is like. */
  readonly description: string;
  /** Where its numbers are from. */
  readonly source: string;
}

interface Entry {
  readonly preset: Preset;
  readonly fields: PolicyFields;
}

export const PRESET_PREFIX = "preset:";

const WEBPAGETEST = "WebPageTest's connectivity profiles";
const DEVTOOLS = "Chrome DevTools' network throttling";
const LIGHTHOUSE = "Lighthouse's throttling constants";
const ATC = "the profiles of Facebook's Augmented Traffic Control";
const AWS = "a table of round trips between regions, 2017";
const FAULTCORE = "faultcore";

/** Name, kbit/s down and up, ms of the round trip. */
type Line = readonly [name: string, downKbps: number, upKbps: number, rttMs: number];
const LINES: readonly (readonly [source: string, lines: readonly Line[]])[] = [
  [
    WEBPAGETEST,
    [
      ["wpt-cable", 5000, 1000, 28],
      ["wpt-dsl", 1500, 384, 50],
      ["wpt-3g", 1600, 768, 300],
      ["wpt-3g-fast", 1600, 768, 150],
      ["wpt-3g-slow", 400, 400, 400],
      ["wpt-4g", 9000, 9000, 170],
      ["wpt-lte", 12_000, 12_000, 70],
      ["wpt-edge", 240, 200, 840],
      ["wpt-2g", 280, 256, 800],
      ["wpt-dial", 49, 30, 120],
    ],
  ],
  [
    DEVTOOLS,
    [
      ["devtools-3g", 500, 500, 400],
      ["devtools-slow-4g", 1600, 750, 150],
      ["devtools-fast-4g", 9000, 1500, 60],
    ],
  ],
];

/** Name, kbit/s of each direction, ms of the round trip. */
const LIGHTHOUSE_LINES: readonly (readonly [name: string, kbps: number, rttMs: number])[] = [
  ["lighthouse-slow-4g", 1638, 150],
  ["lighthouse-3g", 700, 300],
  ["lighthouse-desktop", 10_240, 40],
];

/** Name, kbit/s down and up, ms one way down and up, loss of each direction. */
const ATC_LINES: readonly (readonly [name: string, downKbps: number, upKbps: number, downMs: number, upMs: number, loss?: string])[] = [
  ["atc-2g-rural", 20, 18, 650, 650, "2%"],
  ["atc-2g-urban", 35, 32, 650, 650],
  ["atc-edge-good", 250, 200, 350, 370],
  ["atc-edge-avg", 240, 200, 400, 440],
  ["atc-edge-lossy", 240, 200, 400, 440, "1%"],
  ["atc-3g-good", 850, 420, 90, 100],
  ["atc-3g-avg", 780, 330, 100, 100],
  ["atc-cable", 6000, 1000, 2, 2],
  ["atc-dsl", 2000, 256, 5, 5],
];

/** From us-east-1 to a region, ms of the round trip. */
const AWS_ROUND_TRIPS: readonly (readonly [region: string, rttMs: number])[] = [
  ["us-west-2", 87],
  ["eu-west-1", 80.5],
  ["ap-northeast-1", 145],
  ["ap-southeast-2", 230],
  ["sa-east-1", 119.5],
];

function entry(name: string, description: string, source: string, fields: PolicyFields): Entry {
  return { preset: { name: PRESET_PREFIX + name, description, source }, fields };
}

function line(name: string, source: string, down: number, up: number, downMs: number, upMs: number, loss?: string): Entry {
  const rtt = downMs + upMs;
  const lossText = loss === undefined ? "" : `, ${loss} of packets lost each way`;
  return entry(name, `${down}/${up} kbit/s down/up, round trip ${rtt} ms${lossText}`, source, {
    downlink: { rate: `${down}kbps`, latency: `${downMs}ms` },
    uplink: { rate: `${up}kbps`, latency: `${upMs}ms` },
    ...(loss === undefined ? {} : { packetLoss: loss }),
    rateShare: "scope",
  });
}

const ENTRIES: readonly Entry[] = [
  ...LINES.flatMap(([source, lines]) => lines.map(([name, down, up, rtt]) => line(name, source, down, up, rtt / 2, rtt / 2))),
  ...LIGHTHOUSE_LINES.map(([name, rate, rtt]) => line(name, LIGHTHOUSE, rate, rate, rtt / 2, rtt / 2)),
  ...ATC_LINES.map(([name, down, up, downMs, upMs, loss]) => line(name, ATC, down, up, downMs, upMs, loss)),
  ...AWS_ROUND_TRIPS.map(([region, rtt]) =>
    entry(`aws-us-east-1-${region}`, `between the AWS regions us-east-1 and ${region}, round trip ${rtt} ms; no rate`, AWS, {
      latency: `${rtt / 2}ms`,
    }),
  ),
  entry(
    "starlink",
    "satellites in low orbit, round trip 40 to 60 ms, uniform; without the losses at the handover every 15 s, and without a rate",
    "APNIC's measurements, and a paper of IMC 2022",
    { latency: "20ms", jitter: "10ms" },
  ),
  entry(
    "offline",
    "no network: connects and open flows fail at once with EHOSTUNREACH, lookups with EAI_AGAIN; datagrams pass",
    FAULTCORE,
    {
      connectionError: { kind: "unreachable" },
      dns: { timeout: "1ms" },
    },
  ),
  entry("blackhole", "every packet is lost, both ways: nothing arrives and nobody says so", FAULTCORE, { packetLoss: "100%" }),
];

const BY_NAME: ReadonlyMap<string, Entry> = new Map(ENTRIES.map((preset) => [preset.preset.name, preset]));
const compiled = new Map<string, CompiledPolicy>();

/** All presets, in the order of their documentation. */
export function presets(): Preset[] {
  return ENTRIES.map(({ preset }) => ({ ...preset }));
}

/** A copy of a preset's fields; undefined where there is no such preset. */
export function presetFields(name: string): PolicyFields | undefined {
  const found = BY_NAME.get(name);
  return found && structuredClone(found.fields);
}

export function compiledPreset(name: string): CompiledPolicy | undefined {
  const found = BY_NAME.get(name);
  if (found === undefined) return undefined;
  let policy = compiled.get(name);
  if (policy === undefined) compiled.set(name, (policy = compilePolicy(found.fields, name)));
  return policy;
}
