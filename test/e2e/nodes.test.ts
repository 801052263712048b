import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { build, dist, fixture, jsonLines, start } from "../helpers/programs.ts";
import type { Ended } from "../helpers/programs.ts";
import { findNodes } from "../parity/nodes.ts";

const run = (binary: string, args: readonly string[]): Promise<Ended> => start(binary, args, { cwd: dirname(fixture("smoke")) }).ended;

// Round trips of 40 ms: the connect and the request, and one more for the TLS handshake.
const EXPECTED = { http: 80, https: 120, fetch: 80, h2: 80 };

function check(ended: Ended): void {
  const seen = jsonLines<{ client: keyof typeof EXPECTED; body: string; ms: number; injected: boolean }>(ended);
  expect(seen.map(({ client }) => client)).toEqual(Object.keys(EXPECTED));
  for (const { client, body, ms, injected } of seen) {
    expect({ client, body, injected }).toEqual({ client, body: "ok", injected: true });
    expect(ms).toBeGreaterThanOrEqual(EXPECTED[client]);
  }
}

const { found, missing } = findNodes();
for (const { major, reason } of missing) {
  it(`On Node ${major}`, ({ skip }) => skip(reason));
  console.log(`Node ${major}: skipped: ${reason}`);
}

for (const { path, major, version } of found) {
  describe.concurrent(`On Node ${version}, faultcore`, () => {
    it("carries http, https, fetch and HTTP/2 under latency", async () => {
      check(await run(path, [fixture("smoke")]));
    });

    it("decides every golden scenario as it was recorded", async () => {
      const [seen] = jsonLines<{ scenarios: number; different: string[] }>(await run(path, [fixture("golden")]));
      expect(seen).toEqual({ scenarios: expect.any(Number) as number, different: [] });
      expect(seen?.scenarios).toBeGreaterThan(0);
    });

    it("fails lookups as every other version does, whichever way they are made", async () => {
      const lines = jsonLines<[way: string, error: NodeJS.ErrnoException, injected: boolean]>(await run(path, [fixture("lookups")]));
      expect(lines.pop()).toEqual(["restored", true]);
      const codes = lines.map(([, { code }]) => code);
      expect([codes.length, new Set(codes)]).toEqual([38, new Set(["ENOTFOUND", "EAI_AGAIN", "ETIMEOUT"])]);
      expect(lines.every(([, , injected]) => injected)).toBe(true);
    });

    it("lets the relay use TCP handles without streams, also where deprecations are errors", async () => {
      const modules = dirname(build("relay/sockets/native-tcp.js"));
      const [seen] = jsonLines<unknown>(
        await run(path, ["--pending-deprecation", "--throw-deprecation", fixture("native-sockets"), modules]),
      );
      expect(seen).toEqual({ known: true, same: true });
    });

    it("carries them with --frozen-intrinsics", async () => {
      check(await run(path, ["--frozen-intrinsics", fixture("smoke")]));
    });

    it("says clearly under --permission that worker threads must be allowed, and works when they are", async () => {
      const permission = [major < 23 ? "--experimental-permission" : "--permission", "--allow-fs-read=*"];
      // From Node 25 on the network is a permission too.
      if (major >= 25) permission.push("--allow-net");
      const refused = await run(path, [...permission, "--import", dist("register.js"), "-e", 'console.log("started")']);
      expect({ code: refused.code, stdout: refused.stdout }).toEqual({ code: 2, stdout: "" });
      expect(refused.stderr).toMatch(/^faultcore: .*--allow-worker.*\[ERR_FAULTCORE_RELAY\]$/m);
      check(await run(path, [...permission, "--allow-worker", fixture("smoke")]));
    });
  });
}
