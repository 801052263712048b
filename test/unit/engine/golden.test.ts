/**
 * Frozen outputs: what these scenarios decide is what recorded runs were made of. A difference here breaks the replay of every recorded run;
 * if that is meant, run with FAULTCORE_UPDATE_GOLDEN=1, say so in the changelog, and look at the diff.
 */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { expect, test } from "vitest";
import { planConnect } from "../../../src/engine/connect.ts";
import { DirectionEngine } from "../../../src/engine/direction.ts";
import { goldenScenarios } from "./golden/scenarios.mjs";

const SCENARIOS = goldenScenarios({ DirectionEngine, planConnect });

test.each(Object.keys(SCENARIOS))("%s decides what it always did", (name) => {
  const file = new URL(`./golden/${name}.json`, import.meta.url);
  const actual = `${JSON.stringify(SCENARIOS[name]!(), null, 1)}\n`;
  if (process.env["FAULTCORE_UPDATE_GOLDEN"] === "1") writeFileSync(file, actual);
  expect(existsSync(file), "no golden trace; see the head of this file").toBe(true);
  expect(JSON.parse(actual)).toEqual(JSON.parse(readFileSync(file, "utf8")));
});
