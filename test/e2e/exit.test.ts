import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { serve } from "../helpers/peers.ts";
import { dist, fixture, node } from "../helpers/programs.ts";
import type { Ended } from "../helpers/programs.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "faultcore-exit-"));
  const policies = { "50ms": { latency: "50ms" }, "500ms": { latency: "500ms" }, none: { latency: "0ms" } };
  writeFileSync(join(folder, "policies.json"), JSON.stringify(policies));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Outcome extends Ended {
  /** What the peer got. */
  readonly bytes: number;
  /** Time from the write to the first byte at the peer. */
  readonly delayMs: number;
}

/** Runs the program: directly, or under a policy. */
async function run(how: string, policy?: "none" | "50ms" | "500ms"): Promise<Outcome> {
  let text = "";
  let arrivedNs = 0n;
  const closed: Promise<unknown>[] = [];
  const take = (socket: Socket): void => {
    closed.push(once(socket, "close"));
    socket.setEncoding("utf8").on("data", (chunk: string) => {
      if (text === "") arrivedNs = process.hrtime.bigint();
      text += chunk;
    });
  };
  await using peer = await serve(take);
  const env = { FAULTCORE_POLICIES: join(folder, "policies.json"), FAULTCORE_POLICY: policy };
  const options = policy === undefined ? [] : ["--import", dist("register.js")];
  const ended = await node([...options, fixture("write-and-exit"), String(peer.port), how], policy === undefined ? {} : { env });
  // A reset is an end too: the peer may see the process die before it has read everything.
  await Promise.all(closed);
  const delayMs = text === "" ? Infinity : Number(arrivedNs - BigInt(text.slice(0, text.indexOf("|")))) / 1e6;
  return { ...ended, bytes: text === "" ? 0 : text.length - text.indexOf("|") - 1, delayMs };
}

const WAYS = [
  "process.exit()",
  "process.exit() after end()",
  "process.exit(3)",
  "process.exitCode",
  "an uncaught exception",
  "an unhandled rejection",
  "end() and unref()",
  "end() and destroy()",
  "unref()",
];

describe("a process that ends", () => {
  for (const how of WAYS) {
    it(`by ${how} delivers what it wrote and exits with the same code as directly, also under latency`, async () => {
      const [direct, steered, slow] = await Promise.all([run(how), run(how, "none"), run(how, "50ms")]);
      const seen = ({ bytes, code, signal, stdout }: Outcome): unknown => ({ bytes, code, signal, stdout });
      expect(direct.bytes).toBe(100_000);
      expect(seen(steered)).toEqual(seen(direct));
      expect(seen(slow)).toEqual(seen(direct));
      expect(slow.delayMs).toBeGreaterThanOrEqual(50);
      expect(slow.stderr.includes("Error: boom")).toBe(how.startsWith("an "));
    });
  }

  it("by process.exit() waits 200 ms at most: what needs longer is lost, and nothing hangs", async () => {
    const { bytes, code, signal } = await run("process.exit()", "500ms");
    expect({ bytes, code, signal }).toEqual({ bytes: 0, code: 0, signal: null });
  });

  for (const how of ["end() and unref()", "end() and destroy()", "unref()", "process.exitCode"]) {
    it(`by itself, after ${how}, stays until what it wrote has left, 500 ms later`, async () => {
      const { bytes, code, signal, delayMs } = await run(how, "500ms");
      expect({ bytes, code, signal }).toEqual({ bytes: 100_000, code: how === "process.exitCode" ? 7 : 0, signal: null });
      expect(delayMs).toBeGreaterThanOrEqual(500);
    });
  }

  it("has only unref'd sockets left, and exits as directly", async () => {
    for (const policy of [undefined, "none", "50ms"] as const) {
      const { code, signal, bytes } = await run("nothing written and unref()", policy);
      expect({ policy, code, signal, bytes }).toEqual({ policy, code: 0, signal: null, bytes: 0 });
    }
  });
});
