import { once } from "node:events";
import net from "node:net";
import { install, uninstall, withFaults } from "faultcore";
import { afterAll, beforeAll, expect, it } from "vitest";
import { echo, serve } from "../helpers/peers.ts";
import { fixture, jsonLines, node, start } from "../helpers/programs.ts";
import { runtime, until } from "../helpers/runtime.ts";

beforeAll(() => install({ steer: "always" }));
afterAll(() => uninstall());

async function noFlowIsLeft(): Promise<void> {
  const table = (await runtime()).table();
  await until("every row of the table is free", () => table.flowsLive() === 0);
}

it("3,000 connects in one tick all succeed, under latency too", async () => {
  await using peer = await echo();
  const burst = (): Promise<string[]> =>
    Promise.all(
      Array.from({ length: 1500 }, async () => {
        const socket = net.connect({ port: peer.port, host: "127.0.0.1" });
        socket.end("x");
        const [data] = (await once(socket, "data")) as [Buffer];
        await once(socket, "close");
        return data.toString();
      }),
    );
  const [plain, slow] = await Promise.all([burst(), withFaults({ latency: "20ms" }, burst)]);
  expect([...plain, ...slow].filter((text) => text === "x")).toHaveLength(3000);
  await noFlowIsLeft();
});

it("Beyond the limit of descriptors connects fail with an error and never hang, and work again afterwards", async () => {
  await using peer = await echo();
  const command = `ulimit -n 256; exec "${process.execPath}" "${fixture("descriptor-limit")}" ${peer.port}`;
  // A connect whose leg got no descriptor fails after 5 s, and then the next ones have their turn.
  const { ended } = start("sh", ["-c", command], { killAfterMs: 80_000 });
  const [result] = jsonLines<{ connected: number; failed: Record<string, number>; afterwards: number }>(await ended);
  // Three descriptors a connection; those that wait for their turn hold one.
  expect(result?.connected).toBeGreaterThan(0);
  expect(result?.connected).toBeLessThan(128);
  expect(Object.values(result?.failed ?? {}).reduce((sum, count) => sum + count, 0)).toBe(300 - (result?.connected ?? 0));
  expect(Object.keys(result?.failed ?? {})).toEqual(
    expect.arrayContaining([expect.stringMatching(/^(EMFILE|ECONNRESET|ERR_FAULTCORE_RELAY)$/)]),
  );
  expect(result?.afterwards).toBe(20);
}, 90_000);

it("A peer that never closes does not keep a flow after the program closed its socket", async () => {
  await using peer = await serve((socket) => socket.on("data", () => {}), { allowHalfOpen: true });
  const flows = Array.from({ length: 200 }, async (_, n) => {
    const socket = net.connect({ port: peer.port, host: "127.0.0.1" });
    await once(socket, "connect");
    socket.write("hello");
    if (n % 2 === 0) socket.end();
    else socket.destroy();
    if (n % 2 === 0) {
      await once(socket, "finish");
      socket.destroy();
    }
    await once(socket, "close");
  });
  await Promise.all(flows);
  await noFlowIsLeft();
});

const CONNECTS = Number(process.env["FAULTCORE_TEST_CONNECTS"] ?? 4_000);

it(`${CONNECTS} connects in a row keep their pace: closed legs do not use up the local ports`, async () => {
  const ended = await node([fixture("many-connects"), String(CONNECTS)], { killAfterMs: 200_000 });
  const [result] = jsonLines<{ done: number; failed: number; perSecond: number[]; rows: number }>(ended);
  console.log(`${CONNECTS} connects: ${result?.perSecond.join(", ")} per second in each fifth`);
  expect(result).toMatchObject({ done: CONNECTS, failed: 0, rows: 0 });
  // Ports in TIME_WAIT would make the last part many times slower than the first.
  expect(result?.perSecond.at(-1)).toBeGreaterThan((result?.perSecond[0] ?? 0) / 4);
}, 210_000);

it.concurrent("A connection to the relay's port that nobody claims gets nothing, and is closed", async () => {
  const { host } = (await runtime()).client();
  const port = host.port();
  // Without a scope and with nothing to steer it, from another process.
  const stranger = await node(["-e", STRANGER, String(port)]);
  const [result] = jsonLines<{ bytes: number; connected: number; closed: number; ms: number }>(stranger);
  expect(result).toMatchObject({ bytes: 0, connected: 20, closed: 20 });
  expect(result?.ms).toBeGreaterThan(1900);
});

const STRANGER = `
  const net = require("net");
  let bytes = 0, connected = 0, closed = 0;
  const began = performance.now();
  for (let n = 0; n < 20; n++) {
    const socket = net.connect({ port: Number(process.argv[1]), host: "127.0.0.1" });
    socket.on("connect", () => { connected++; socket.write("GET / HTTP/1.1\\r\\n\\r\\n"); });
    socket.on("data", (chunk) => (bytes += chunk.length));
    socket.on("error", () => {});
    socket.on("close", () => {
      if (++closed === 20) console.log(JSON.stringify({ bytes, connected, closed, ms: performance.now() - began }));
    });
  }
`;

it.concurrent("A dial whose leg never arrives ends with a clear error, and frees its row", async () => {
  await using peer = await echo();
  const client = (await runtime()).client();
  const error = await new Promise<Error>((resolve, reject) => {
    const flow = client.dial(
      {
        address: "127.0.0.1",
        port: peer.port,
        family: 4,
        hostname: undefined,
        localAddress: undefined,
        localPort: undefined,
        startNs: 0,
        attempt: 0,
        // Nobody connects from port 1.
        startLeg: () => 1,
        connected: () => reject(new Error("connected without a leg")),
        failed: () => reject(new Error("failed as if the peer had refused")),
        broken: (cause) => {
          flow.close("close");
          resolve(cause);
        },
        died: () => reject(new Error("the relay died")),
        bytesWritten: () => 0,
        isWaiting: () => false,
      },
      undefined,
    );
  });
  expect(error).toMatchObject({ code: "ERR_FAULTCORE_RELAY", message: expect.stringContaining("did not reach the relay within 5 s") });
  await noFlowIsLeft();
});
