import { once } from "node:events";
import type { Worker } from "node:worker_threads";
import { faultScope, reset, uninstall, withFaults } from "faultcore";
import type { PolicyFields } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { nowMs, upToThreeTimes } from "../helpers/measure.ts";
import { peerWorker, talk, workerPeer } from "../helpers/worker-peer.ts";

/** What came: stamps are the receiver's, in a thread of its own. */
interface Arrival {
  /** Before anything was sent. */
  readonly askedMs: number;
  readonly firstMs: number;
  readonly firstBytes: number;
  readonly lastMs: number;
  readonly bytes: number;
  readonly chunks: number;
}

const RATES: readonly (readonly [name: string, bytesPerSecond: number])[] = [
  ["100 KB/s", 100_000],
  ["1 MB/s", 1_000_000],
  ["10 MB/s", 10_000_000],
];
const MSS = 1460;
const SECONDS = 1.5;

const bitsPerSecond = (bytesPerSecond: number): string => `${bytesPerSecond / 125}kbps`;

/** Bytes after the first arrival, by the time that they took. */
function measuredRate({ bytes, firstBytes, firstMs, lastMs }: Arrival): number {
  return ((bytes - firstBytes) * 1000) / (lastMs - firstMs);
}

async function upload(policy: PolicyFields, bytes: number): Promise<Arrival> {
  await using peer = await workerPeer("sink", { bytes });
  return await withFaults(policy, async () => {
    const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
    const askedMs = nowMs();
    conversation.socket.write(Buffer.alloc(bytes, "x"));
    const arrival = JSON.parse(await conversation.hear()) as Arrival;
    await conversation.close();
    return { ...arrival, askedMs };
  });
}

let downloader: Worker;

async function download(policy: PolicyFields, bytes: number): Promise<Arrival> {
  await using peer = await workerPeer("source");
  const answer = once(downloader, "message");
  downloader.postMessage({ port: peer.port, bytes, policy });
  const [arrival] = (await answer) as [Arrival];
  return arrival;
}

beforeAll(async () => {
  downloader = peerWorker("downloader", undefined);
  await once(downloader, "message");
});
afterEach(() => reset());
afterAll(async () => {
  await downloader.terminate();
  uninstall();
});

async function expectRate(what: string, rate: number, run: () => Promise<Arrival>): Promise<void> {
  const off = (arrival: Arrival): number => measuredRate(arrival) / rate - 1;
  const arrival = await upToThreeTimes(
    async () => {
      const got = await run();
      // Not one bit faster than the link, from the first to the last.
      expect(got.lastMs - got.askedMs).toBeGreaterThanOrEqual((got.bytes * 1000) / rate);
      return got;
    },
    (got) => Math.abs(off(got)) <= 0.01,
  );
  const percent = (100 * off(arrival)).toFixed(3);
  console.log(
    `${what}: ${(measuredRate(arrival) / 1000).toFixed(1)} KB/s (${percent} %), ${arrival.chunks} arrivals of ${arrival.bytes} bytes`,
  );
  expect(arrival.bytes).toBe(Math.ceil((rate * SECONDS) / MSS) * MSS);
  expect(Math.abs(off(arrival))).toBeLessThanOrEqual(0.01);
}

describe("a rate holds within 1 %", () => {
  for (const [name, rate] of RATES) {
    // Whole packets, at least 100 of them.
    const bytes = Math.ceil((rate * SECONDS) / MSS) * MSS;
    it(`for ${name} up`, async () => {
      expect(bytes / MSS).toBeGreaterThanOrEqual(100);
      await expectRate(`${name} up`, rate, () => upload({ rate: bitsPerSecond(rate) }, bytes));
    });

    it(`for ${name} down`, async () => {
      await expectRate(`${name} down`, rate, () => download({ rate: bitsPerSecond(rate) }, bytes));
    });
  }

  it("while latency is added to it, once and not per packet", async () => {
    const bytes = 150 * MSS;
    const { askedMs, firstMs, lastMs } = await upload({ uplink: { rate: "8mbps", latency: "60ms" } }, bytes);
    const packetMs = MSS / 1000;
    expect(firstMs - askedMs).toBeGreaterThanOrEqual(60 + packetMs);
    expect(lastMs - askedMs).toBeGreaterThanOrEqual(60 + bytes / 1000);
    expect(lastMs - askedMs).toBeLessThan(2 * (60 + bytes / 1000));
  });

  it("for a request and its answer together: each direction has a link of its own", async () => {
    await using peer = await workerPeer("stamp");
    await withFaults({ uplink: { rate: "800kbps" }, downlink: { rate: "1600kbps" } }, async () => {
      const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
      const line = "x".repeat(9_999);
      const sent = nowMs();
      const arrived = Number((await conversation.ask(line)).split(" ")[1]);
      const heard = nowMs();
      expect(arrived - sent).toBeGreaterThanOrEqual(100);
      expect(heard - arrived).toBeGreaterThanOrEqual(50);
      expect(heard - sent).toBeLessThan(1000);
      await conversation.close();
    });
  });
});

describe("an unlimited rate", () => {
  it("in one direction lifts the policy's rate there, and only there", async () => {
    const policy: PolicyFields = { rate: "800kbps", uplink: { rate: "unlimited" } };
    const bytes = 400_000;
    const scope = faultScope(policy);
    await using peer = await workerPeer("sink", { bytes });
    const elapsed = await scope.run(async () => {
      const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
      const began = nowMs();
      conversation.socket.write(Buffer.alloc(bytes));
      const { lastMs } = JSON.parse(await conversation.hear()) as Arrival;
      await conversation.close();
      return lastMs - began;
    });
    // 4 s at the policy's rate.
    expect(elapsed).toBeLessThan(1500);
    expect(scope.events().filter(({ fault, direction }) => fault === "rate" && direction === "uplink")).toEqual([]);
    expect(scope.events().some(({ fault, direction }) => fault === "rate" && direction === "downlink")).toBe(true);
  });

  it("for the whole policy shapes nothing", async () => {
    const { askedMs, lastMs } = await upload({ rate: "unlimited" }, 1_000_000);
    expect(lastMs - askedMs).toBeLessThan(1500);
  });
});
