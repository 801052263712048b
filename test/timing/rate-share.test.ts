import { install, reset, uninstall, withFaults } from "faultcore";
import { once } from "node:events";
import net from "node:net";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { median, timed, upToThreeTimes } from "../helpers/measure.ts";
import { converse, workerPeer } from "../helpers/worker-peer.ts";

beforeAll(() => install({ steer: "always" }));
afterEach(() => reset());
afterAll(() => uninstall());

const shared = { downlink: { rate: "8mbps" }, rateShare: "scope" } as const;

/** Asks for so many bytes, and reads them. */
function ask(port: number, bytes: number): net.Socket {
  const socket = net.connect(port, "127.0.0.1");
  socket.write(`${bytes}\n`);
  return socket.resume();
}

async function download(port: number, bytes: number): Promise<void> {
  const socket = ask(port, bytes);
  await once(socket, "close");
  expect(socket.bytesRead).toBe(bytes);
}

describe("rate_share: scope", () => {
  it("gives all connections of a scope one rate together", async () => {
    await using source = await workerPeer("source");
    const bytes = 400_000;
    const { ms } = await upToThreeTimes(
      () => timed(() => withFaults(shared, () => Promise.all(Array.from({ length: 4 }, () => download(source.port, bytes))))),
      (value) => value.ms < 1700,
    );
    // 1.6 MB at 1 MB/s; each with a link of its own would take 0.4 s.
    expect(ms).toBeGreaterThanOrEqual(1580);
    expect(ms).toBeLessThan(1700);
  });

  it("does not let a bulk transfer delay others by more than its queue, 100 ms", async () => {
    await using source = await workerPeer("source");
    await using peer = await workerPeer("stamp");
    await withFaults(shared, async () => {
      const bulk = ask(source.port, 20_000_000);
      await once(bulk, "data");
      const conversation = converse(net.connect(peer.port, "127.0.0.1"));
      await conversation.ask("first");
      const times: number[] = [];
      for (let n = 0; n < 10; n++) times.push((await timed(() => conversation.ask("again"))).ms);
      expect(median(times)).toBeLessThan(110);
      expect(median(times)).toBeGreaterThan(30);
      bulk.destroy();
      await conversation.close();
    });
  });
});
