import { dirname } from "node:path";
import { expect, it } from "vitest";
import { echo } from "../helpers/peers.ts";
import { fixture, jsonLines, node } from "../helpers/programs.ts";

interface Sample {
  readonly heapMb: number;
  readonly rssMb: number;
  readonly flows: number;
  readonly scopes: number;
  readonly resources: Readonly<Record<string, number>>;
  readonly handlers: number;
}

it("3,000 flows opened and closed in scopes leave no handle, no memory and no table row, and the process exits by itself", async () => {
  await using peer = await echo();
  const ended = await node(["--expose-gc", fixture("many-scopes"), String(peer.port)], { killAfterMs: 60_000 });
  const [warm, end] = jsonLines<Sample>(ended) as [Sample, Sample];
  console.log(`heap ${warm.heapMb} → ${end.heapMb} MB, process with relay ${warm.rssMb} → ${end.rssMb} MB over 2,500 flows`);
  expect(end).toMatchObject({ flows: 0, scopes: 0, handlers: warm.handlers, resources: warm.resources });
  // A leak of 1 kB a flow would show as 2.5 MB.
  expect(end.heapMb - warm.heapMb).toBeLessThan(2.5);
  // It comes and goes by 20 to 45 MB, however many flows there are.
  expect(end.rssMb - warm.rssMb).toBeLessThan(100);
}, 70_000);

it("A relay that has nothing to do does not keep the process", async () => {
  const ended = await node(["--input-type=module", "-e", 'import { install } from "faultcore"; install({ steer: "always" });'], {
    cwd: dirname(fixture("many-scopes")),
  });
  expect(ended).toEqual({ code: 0, signal: null, stdout: "", stderr: "" });
});

it("uninstall() takes every patch and handler back and leaves nothing running, as often as it is repeated", async () => {
  const ended = await node([fixture("install-uninstall")]);
  expect(jsonLines(ended)).toEqual([{ same: true, handlers: 0, resources: [] }]);
  expect(ended.stderr).toBe("");
});
