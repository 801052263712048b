/**
 * Frozen outputs: what these scenarios decide is what recorded runs were made of. A difference here breaks the replay of every recorded run;
 * if that is meant, run with FAULTCORE_UPDATE_GOLDEN=1, say so in the changelog, and look at the diff.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { planConnect } from "../../../src/engine/connect.ts";
import type { Decision, DirectionFaults } from "../../../src/engine/types.ts";
import { MS, MSS, NO_FAULTS, type Release, runTo, traced } from "./helpers.ts";

/** A few requests of different length, in chunks, with a pause within one, and the end. */
function conversation(faults: Partial<DirectionFaults>, direction: 0 | 1): unknown {
  const { engine, log } = traced(faults, { direction, key: { seed: 42n, flowHash: 0xfan } });
  const releases: Release[] = [];
  const push = (bytes: number, atNs: number): void => {
    runTo(engine, atNs, releases);
    engine.push(bytes, atNs);
  };
  push(6 * MSS + 200, 0);
  push(300, 5 * MS);
  push(300, 60 * MS);
  for (let i = 1; i <= 6; i++) {
    runTo(engine, i * 200 * MS, releases);
    engine.peerReleased(i * 200 * MS);
    push(100 * i * i, (i * 200 + 1) * MS);
  }
  engine.end(1300 * MS);
  runTo(engine, Number.MAX_VALUE, releases);
  return { releases: releases.map((r) => [r.atNs, r.bytes]), decisions: log.map(line) };
}

const line = (d: Decision): string =>
  `${d.atNs} ${d.direction}:${d.exchange}.${d.cell}.${d.split} ${d.bytes} ${d.fault} ${d.decision} ${d.delayNs}${d.code === undefined ? "" : ` ${d.code}`}`;

const SCENARIOS: Record<string, () => unknown> = {
  "latency-and-jitter": () => conversation({ latencyNs: 40 * MS, jitterNs: 15 * MS }, 0),
  rate: () => conversation({ rateBps: 1e6, latencyNs: 10 * MS }, 1),
  "packet-loss": () => conversation({ latencyNs: 50 * MS, lossPpm: 250_000 }, 0),
  "everything-at-once": () => conversation({ latencyNs: 20 * MS, jitterNs: 9 * MS, lossPpm: 150_000, burst: 3, rateBps: 2e6 }, 1),
  held: () => conversation({ latencyNs: 50 * MS, lossPpm: 1_000_000 }, 0),
  connect: () => {
    const up: DirectionFaults = { ...NO_FAULTS, latencyNs: 30 * MS, jitterNs: 10 * MS, lossPpm: 300_000 };
    const down: DirectionFaults = { ...up, latencyNs: 20 * MS, lossPpm: 100_000 };
    return Array.from({ length: 12 }, (_, attempt) => {
      const key = { seed: 42n, flowHash: 0xc0n };
      const plan = planConnect({ up, down, timeoutConnectNs: 6e9, connectionError: { kind: "refused", ppm: 200_000 }, key, attempt });
      return { ...plan, dialAfterNs: String(plan.dialAfterNs), decisions: plan.decisions.map(line) };
    });
  },
};

test.each(Object.keys(SCENARIOS))("%s decides what it always did", (name) => {
  const file = new URL(`./golden/${name}.json`, import.meta.url);
  const actual = `${JSON.stringify(SCENARIOS[name]!(), null, 1)}\n`;
  if (process.env["FAULTCORE_UPDATE_GOLDEN"] === "1") writeFileSync(file, actual);
  expect(existsSync(file), "no golden trace; see the head of this file").toBe(true);
  expect(JSON.parse(actual)).toEqual(JSON.parse(readFileSync(file, "utf8")));
});
