import { once } from "node:events";
import { connect, createServer } from "node:net";
import { reset, uninstall, withFaults } from "faultcore";
import type { PolicyFields } from "faultcore";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { nowMs, upToThreeTimes } from "../helpers/measure.ts";
import { listen, pour } from "../helpers/peers.ts";

/** The default. */
const WINDOW = 4 * 1_048_576;
const ROUND_TRIP_MS = 200;
const ROUND_TRIPS = 3;

/** Bytes of a download within whole round trips after the first one, and how many windows those are. */
async function windowsPerRoundTrip(policy: PolicyFields): Promise<number> {
  const block = Buffer.alloc(65_536);
  const server = createServer((socket) => socket.on("error", () => {}).once("data", () => pour(socket, block)));
  await using peer = await listen(server);
  return await withFaults(policy, async () => {
    const socket = connect(peer.port, "127.0.0.1");
    socket.write("d");
    await once(socket, "data");
    const fromMs = nowMs() + ROUND_TRIP_MS;
    const untilMs = fromMs + ROUND_TRIPS * ROUND_TRIP_MS;
    let bytes = 0;
    await new Promise<void>((resolve) => {
      socket.on("data", (chunk: Buffer) => {
        const now = nowMs();
        if (now >= fromMs && now < untilMs) bytes += chunk.length;
        if (now >= untilMs) resolve();
      });
    });
    socket.destroy();
    return bytes / WINDOW / ROUND_TRIPS;
  });
}

describe("throughput over a long link", () => {
  afterEach(() => reset());
  afterAll(() => uninstall());

  it.each<[string, PolicyFields]>([
    ["on the way down", { downlink: { latency: `${ROUND_TRIP_MS}ms` } }],
    ["on the way up, where acknowledgements travel", { uplink: { latency: `${ROUND_TRIP_MS}ms` } }],
    ["half on each way", { latency: `${ROUND_TRIP_MS / 2}ms` }],
  ])("is the window ÷ the round trip, with the latency %s", async (_, policy) => {
    const windows = await upToThreeTimes(
      () => windowsPerRoundTrip(policy),
      (value) => Math.abs(value - 1) <= 0.05,
    );
    console.log(`${windows.toFixed(3)} windows per round trip`);
    expect(windows).toBeGreaterThan(0.95);
    expect(windows).toBeLessThan(1.05);
  });
});
