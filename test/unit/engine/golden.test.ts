/**
 * Frozen outputs: what these scenarios decide is what recorded runs were made of. A difference here breaks the replay of every recorded run;
 * if that is meant, run with FAULTCORE_UPDATE_GOLDEN=1, say so in the changelog, and look at the diff.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { planConnect } from "../../../src/engine/connect.ts";
import { DatagramDirection } from "../../../src/engine/datagrams.ts";
import { DirectionEngine } from "../../../src/engine/direction.ts";
import { planLookup } from "../../../src/engine/faults/dns.ts";
import { PayloadMutation } from "../../../src/engine/faults/payload-mutation.ts";
import { Severity } from "../../../src/engine/faults/schedule.ts";
import { goldenScenarios } from "./golden/scenarios.mjs";

const SCENARIOS = goldenScenarios({ DatagramDirection, DirectionEngine, PayloadMutation, planConnect, planLookup, Severity });

test.each(Object.keys(SCENARIOS))("%s decides what it always did", (name) => {
  const file = new URL(`./golden/${name}.json`, import.meta.url);
  const actual = `${JSON.stringify(SCENARIOS[name]!(), null, 1)}\n`;
  if (process.env["FAULTCORE_UPDATE_GOLDEN"] === "1") writeFileSync(file, actual);
  expect(existsSync(file), "no golden trace; see the head of this file").toBe(true);
  expect(JSON.parse(actual)).toEqual(JSON.parse(readFileSync(file, "utf8")));
});
