import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import net from "node:net";
import { install, reset, uninstall, withFaults } from "faultcore";
import type { PolicyFields } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { nowMs } from "../helpers/measure.ts";
import { echo } from "../helpers/peers.ts";

const SEED = 20_260_101;

const sha256 = (data: Buffer): string => createHash("sha256").update(data).digest("hex");

beforeAll(() => install({ steer: "always" }));
afterEach(() => reset());
afterAll(() => uninstall());

describe("data integrity", () => {
  const choices: readonly (readonly [string, PolicyFields])[] = [
    ["latency", { latency: "3ms" }],
    ["jitter", { jitter: "4ms" }],
    ["packet_loss", { packetLoss: "1%" }],
    ["burst_loss", { packetLoss: "0.5%", burstLoss: 4 }],
    ["rate", { rate: "40mbps" }],
  ];
  const combinations = Array.from({ length: 2 ** choices.length }, (_, bits) => choices.filter((__, index) => (bits >> index) & 1));

  it(`every one of ${combinations.length} combinations, in both directions, brings every byte in order`, async () => {
    await using peer = await echo();
    const began = nowMs();
    await Promise.all(
      combinations.map(async (combination, index) => {
        const policy: PolicyFields = { seed: SEED + index, ...Object.assign({}, ...combination.map(([, fields]) => fields)) };
        const data = randomBytes(150_000 + index * 777);
        const socket = net.connect({ port: peer.port, host: "127.0.0.1" });
        await once(socket, "connect");
        await withFaults(policy, async () => {
          const got: Buffer[] = [];
          socket.on("data", (chunk: Buffer) => got.push(chunk));
          for (let at = 0; at < data.length; at += 10_007) socket.write(data.subarray(at, at + 10_007));
          socket.end();
          await once(socket, "close");
          const names = combination.map(([name]) => name).join(" + ");
          expect(sha256(Buffer.concat(got)), `with ${names}`).toBe(sha256(data));
        });
      }),
    );
    console.log(`${combinations.length} combinations echoed in ${(nowMs() - began).toFixed(0)} ms`);
  });
});
