// A program that is steered, with no policy, must not notice: the same fixture runs direct and steered on every Node version, and what
// it saw must be equal, case by case. See README.md in this folder.
import { describe, expect, onTestFinished, test } from "vitest";
import { compare } from "./compare.ts";
import { leftOut, reasonToLeaveOut } from "./left-out.ts";
import { findNodes } from "./nodes.ts";
import type { NodeBinary } from "./nodes.ts";
import { assertBuilt, descriptorsPerConnection, exitOf, listCases, runArea, runCase } from "./run-fixture.ts";
import type { Mode, Trace } from "./run-fixture.ts";

const areas = listCases();
const { found, missing } = findNodes();
assertBuilt();

/** Areas run once per version and mode, when the first test that needs them asks; then all of them start, and queue. */
function allTraces(node: NodeBinary): (mode: Mode, area: string) => Promise<Map<string, Trace>> {
  let started: Map<string, Promise<Map<string, Trace>>> | undefined;
  return (mode, area) => {
    if (started === undefined) {
      started = new Map();
      // The long ones first, so that the short ones fill the gaps.
      const ordered = Object.entries(areas).toSorted(([a], [b]) => Number(b.startsWith("process")) - Number(a.startsWith("process")));
      for (const [name, cases] of ordered) {
        for (const each of ["direct", "steered"] as const) started.set(`${each} ${name}`, runArea(node, each, name, cases));
      }
    }
    return started.get(`${mode} ${area}`) ?? Promise.reject(new Error(`no area is called ${area}`));
  };
}

for (const { major, reason } of missing) {
  test(`Node ${major}`, ({ skip }) => skip(reason));
  console.log(`parity: skipped on Node ${major}: ${reason}`);
}

describe.each(found)("on Node $version", (node) => {
  const traces = allTraces(node);

  test("connections of the steered runs are steered, those of the direct runs are not", async () => {
    expect(await descriptorsPerConnection(node, "direct")).toBe(2);
    expect(await descriptorsPerConnection(node, "steered")).toBe(4);
  });

  for (const [area, names] of Object.entries(areas)) {
    for (const name of [...names, exitOf(area)]) {
      const reason = reasonToLeaveOut(name, node.major);
      test(`${area}: ${name}`, async ({ skip }) => {
        if (reason !== undefined) skip(`left out: ${reason}`);
        const [direct, steered] = await Promise.all([traces("direct", area), traces("steered", area)]);
        const nothing: Trace = { case: ["not run"] };
        const verdict = await compare(direct.get(name) ?? nothing, steered.get(name) ?? nothing, {
          direct: () => runCase(node, "direct", area, name),
          steered: () => runCase(node, "steered", area, name),
        });
        if (verdict.kind === "undefined") skip(`dropped, the direct run varies: ${verdict.note}`);
        if (verdict.kind === "same on re-runs") console.log(`parity: ${node.version}, ${name}: ${verdict.note}`);
        if (verdict.kind !== "different") return;
        onTestFinished(() =>
          console.log(`run it: ${node.path} [--import ./dist/register.js] test/parity/fixture.mjs --case ${JSON.stringify(name)}`),
        );
        expect.fail(`${name}: ${verdict.difference}`);
      });
    }
  }
});

test("every case that is left out exists", () => {
  const names = new Set([...Object.values(areas).flat(), ...Object.keys(areas).map(exitOf)]);
  expect(leftOut.filter(({ name }) => !names.has(name))).toEqual([]);
});
