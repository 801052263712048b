import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { faultScope, install, reset, uninstall, withFaults } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { failureOf, nowMs } from "../helpers/measure.ts";
import { echo, serve } from "../helpers/peers.ts";
import { talk, workerPeer } from "../helpers/worker-peer.ts";

const sha256 = (data: Buffer): string => createHash("sha256").update(data).digest("hex");

beforeAll(() => install({ steer: "always" }));
afterEach(() => reset());
afterAll(() => uninstall());

describe("100 % loss", () => {
  it("holds what the program writes, lets it see back-pressure, and releases everything in order when the scope ends", async () => {
    const chunks = Array.from({ length: 24 }, () => randomBytes(1024 * 1024));
    const data = Buffer.concat(chunks);
    const received: Buffer[] = [];
    await using peer = await serve((socket) => socket.on("data", (chunk: Buffer) => received.push(chunk)));
    const socket = net.connect({ port: peer.port, host: "127.0.0.1" });
    await once(socket, "connect");
    const scope = faultScope({ packetLoss: "100%" });
    let flushed = 0;
    await scope.run(async () => {
      for (const chunk of chunks) socket.write(chunk, () => flushed++);
      expect(socket.writableNeedDrain).toBe(true);
      // A second connection does work through the same relay meanwhile: whatever could have come of the first one has come.
      for (let round = 0; round < 20; round++) {
        const other = withFaults({ latency: "5ms" }, () => talk({ port: peer.port, host: "127.0.0.1" }));
        await (await other).close();
      }
    });
    const written = flushed;
    const end = once(socket, "drain");
    await end;
    socket.end();
    const [accepted] = [...peer.sockets];
    if (accepted !== undefined) await once(accepted, "end");
    const got = Buffer.concat(received);
    expect(sha256(got)).toBe(sha256(data));
    console.log(`100 % loss: ${written} of 24 MiB were taken before the scope ended, nothing of it came`);
    // The kernel's buffers and the relay's window, and no more.
    expect(written).toBeLessThan(20);
    expect(scope.events().some(({ decision, delayMs }) => decision === "held" && delayMs === Infinity)).toBe(true);
    socket.destroy();
  });

  it("delivers nothing to the peer while it lasts, nor to the program", async () => {
    await using peer = await workerPeer("stamp");
    const up = await talk({ port: peer.port, host: "127.0.0.1" });
    const down = await talk({ port: peer.port, host: "127.0.0.1" });
    const upScope = faultScope({ uplink: { packetLoss: "100%" } });
    const downScope = faultScope({ downlink: { packetLoss: "100%" } });
    let ended = Infinity;
    const heard = Promise.all([
      upScope.run(async () => {
        up.say("up");
        await probe();
      }),
      downScope.run(async () => {
        down.say("down");
        await probe();
      }),
    ]).then(() => (ended = nowMs()));
    async function probe(): Promise<void> {
      // Ten round trips of another connection under a delay: 100 ms, at the least.
      await withFaults({ latency: "5ms" }, async () => {
        const other = await talk({ port: peer.port, host: "127.0.0.1" });
        for (let round = 0; round < 10; round++) await other.ask("x");
        await other.close();
      });
    }
    const first = Promise.race([up.hear(), down.hear()]).then(() => nowMs());
    await heard;
    expect(await first).toBeGreaterThanOrEqual(ended - 5);
    await up.close();
    await down.close();
  });

  it("dials nothing for a connect, which the program can give up", async () => {
    await using peer = await echo();
    const controller = new AbortController();
    const scope = faultScope({ packetLoss: "100%" });
    const error = failureOf(
      scope.run(async () => {
        const socket = net.connect({ port: peer.port, host: "127.0.0.1", signal: controller.signal } as net.TcpNetConnectOpts);
        queueMicrotask(() => controller.abort());
        await once(socket, "connect");
      }),
    );
    expect(await error).toMatchObject({ name: "AbortError" });
    expect(peer.accepted()).toBe(0);
  });
});
