/**
 * The numbered defects that were found by running the Python tool, 1 to 8: here they must not be. What needs more than a few lines has its
 * own file; these tests show the one thing that went wrong there.
 */
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import { activate, faultScope, install, registerPolicy, reset, uninstall, withFaults } from "faultcore";
import type { PolicyFields } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { askOnce } from "../helpers/ask.ts";
import { failureOf, timed } from "../helpers/measure.ts";
import { echo, serve } from "../helpers/peers.ts";
import { node } from "../helpers/programs.ts";
import { talk } from "../helpers/worker-peer.ts";

beforeAll(() => install());
afterEach(() => reset());
afterAll(() => uninstall());

describe("1: no policy that can be registered crashes when it is applied", () => {
  it.each<[string, PolicyFields]>([
    ["timeout", { latency: "5ms", timeout: { connect: "5s", recv: "5s" } }],
    ["uplink", { uplink: { latency: "5ms" } }],
    ["downlink", { downlink: { latency: "5ms" } }],
    ["half_open", { half_open: { after: "1mb" } }],
    ["a port range", { latency: "5ms", targets: [{ host: "127.0.0.1", port: "1-65535" }] }],
  ])("%s", async (_name, fields) => {
    await using peer = await echo();
    expect(await withFaults(fields, () => askOnce(peer.port))).toBe("hello");
  });
});

it("2: a timeout disturbs only what is slower than it", async () => {
  await using peer = await echo();
  const scope = faultScope({ latency: "2ms", timeout: { connect: "5s", recv: "5s" } });
  expect(await scope.run(() => askOnce(peer.port))).toBe("hello");
  expect(scope.report().faults).not.toHaveProperty("timeout");
  const slow = await timed(() => failureOf(withFaults({ latency: "60ms", timeout: { connect: "50ms" } }, () => askOnce(peer.port))));
  expect(slow.value).toMatchObject({ code: "ETIMEDOUT", syscall: "connect" });
  expect(slow.ms).toBeGreaterThanOrEqual(50);
});

it("3: each packet is decided once, and waiting takes no processor: 0.1 % loss with 20 ms latency kills nothing", async () => {
  await using peer = await echo();
  const before = process.cpuUsage();
  const { ms, value } = await timed(() =>
    withFaults({ latency: "20ms", packetLoss: "0.1%", seed: 1 }, () => Promise.all(Array.from({ length: 40 }, () => askOnce(peer.port)))),
  );
  const { user, system } = process.cpuUsage(before);
  expect(value).toEqual(Array.from({ length: 40 }, () => "hello"));
  expect(ms).toBeGreaterThanOrEqual(80);
  expect((user + system) / 1000, "ms of processor time").toBeLessThan(Math.max(1000, 2 * ms));
});

it("4: the rate is what was asked for, for each flow and each direction", async () => {
  // 100 KB at 8 Mbit/s take 100 ms each way; two flows at once, each with a link of its own, take no longer.
  const bytes = 100_000;
  await using peer = await serve((socket) => {
    let received = 0;
    socket.on("data", (chunk) => {
      received += chunk.length;
      if (received === bytes) socket.end(Buffer.alloc(bytes));
    });
  });
  const exchange = async (): Promise<number> => {
    const { socket } = await talk({ port: peer.port, host: "127.0.0.1" });
    const { ms } = await timed(async () => {
      socket.write(Buffer.alloc(bytes));
      await once(socket, "end");
    });
    return ms;
  };
  const times = await withFaults({ rate: "8mbps" }, () => Promise.all([exchange(), exchange()]));
  for (const ms of times) {
    expect(ms).toBeGreaterThanOrEqual(200);
    expect(ms).toBeLessThan(390);
  }
});

describe("5: schedules run on one clock", () => {
  it("a ramp starts with almost no fault, not with a rate near zero", async () => {
    await using peer = await echo();
    registerPolicy("ramp", { rate: "10kbps", schedule: { kind: "ramp", ramp: "10m" } });
    const { ms } = await timed(() => withFaults("ramp", () => askOnce(peer.port, "x".repeat(2000))));
    expect(ms, "2,000 bytes at 10 kbit/s take 3.2 s in all").toBeLessThan(1500);
  });

  it("flapping does not start again with each call", async () => {
    await using peer = await echo();
    registerPolicy("flapping", { connectionError: { kind: "refused" }, schedule: { kind: "flapping", on: "150ms", off: "10m" } });
    const first = await failureOf(withFaults("flapping", () => askOnce(peer.port)));
    expect(first).toMatchObject({ code: "ECONNREFUSED" });
    for (let recovered = false; !recovered; await nextTurn()) {
      recovered = (await withFaults("flapping", () => askOnce(peer.port)).catch(() => "")) === "hello";
    }
  });
});

it("6: files, pipes and standard output are not sockets", async () => {
  using _outage = activate({ packetLoss: "100%", latency: "10s" });
  const folder = await mkdtemp(join(tmpdir(), "faultcore-"));
  try {
    const { ms } = await timed(async () => {
      await writeFile(join(folder, "file"), "text");
      expect(await readFile(join(folder, "file"), "utf8")).toBe("text");
      expect((await node(["-e", "console.log('printed')"])).stdout).toBe("printed\n");
    });
    expect(ms).toBeLessThan(8000);
  } finally {
    await rm(folder, { recursive: true });
  }
});

describe("7: scopes keep apart", () => {
  it("leaving the inner scope brings the outer one back", async () => {
    await using peer = await echo();
    const outer = faultScope({ latency: "30ms" });
    const after = await outer.run(async () => {
      await withFaults({ latency: "1ms" }, () => askOnce(peer.port));
      return timed(() => askOnce(peer.port));
    });
    expect(after.ms).toBeGreaterThanOrEqual(120);
  });

  it("overlapping calls, and tasks beside them, see their own faults only", async () => {
    await using peer = await echo();
    const [failed, slow, clean] = await Promise.all([
      failureOf(withFaults({ connectionError: { kind: "refused" } }, () => askOnce(peer.port))),
      timed(() => withFaults({ latency: "40ms" }, () => askOnce(peer.port))),
      askOnce(peer.port),
    ]);
    expect(failed).toMatchObject({ code: "ECONNREFUSED" });
    expect(slow.ms).toBeGreaterThanOrEqual(160);
    expect(clean).toBe("hello");
  });

  it("a call that nobody awaits leaks nothing", async () => {
    await using peer = await echo();
    void withFaults({ connectionError: { kind: "refused" } }, () => askOnce(peer.port)).catch(() => {});
    expect(await askOnce(peer.port)).toBe("hello");
  });
});

describe("8: name lookups", () => {
  it("asynchronous ones are faulted", async () => {
    expect(await failureOf(withFaults({ dns: { nxdomain: "100%" } }, () => lookup("localhost")))).toMatchObject({
      code: "ENOTFOUND",
      syscall: "getaddrinfo",
      hostname: "localhost",
    });
  });

  it("addresses never fail as names", async () => {
    await using peer = await echo();
    await withFaults({ dns: { nxdomain: "100%" } }, async () => {
      expect(await lookup("127.0.0.1")).toEqual({ address: "127.0.0.1", family: 4 });
      expect(await askOnce(peer.port)).toBe("hello");
    });
  });
});
