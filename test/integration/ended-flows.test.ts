import { once } from "node:events";
import net from "node:net";
import { dirname } from "node:path";
import { install, reset, uninstall, withFaults } from "faultcore";
import type { PolicyFields } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { nowMs } from "../helpers/measure.ts";
import { echo } from "../helpers/peers.ts";
import { fixture, start } from "../helpers/programs.ts";
import { runtime, until } from "../helpers/runtime.ts";

beforeAll(() => install({ steer: "always" }));
afterEach(() => reset());
afterAll(() => uninstall());

describe("flows that the program has closed", () => {
  // A close of the relay's with the answer unread would be a RST and nothing else: the peer then gets ECONNRESET where it gets an end.
  it("reach the peer as a FIN, also when its answer is on the way", async () => {
    const outcomes = new Set<string>();
    const server = net.createServer((socket) => {
      let seen = "";
      socket.on("data", (data) => {
        seen += "data ";
        socket.write(data);
      });
      socket.on("end", () => (seen += "end"));
      socket.on("error", (error: NodeJS.ErrnoException) => (seen += error.code));
      socket.on("close", () => {
        outcomes.add(seen);
        server.emit("over");
      });
    });
    await once(server.listen(0, "127.0.0.1"), "listening");
    const { port } = server.address() as net.AddressInfo;
    for (let n = 0; n < 300; n += 1) {
      const over = once(server, "over");
      const socket = net.connect(port, "127.0.0.1");
      await once(socket, "connect");
      socket.end("last");
      socket.on("error", () => {}).write("too late");
      await over;
    }
    server.close();
    expect([...outcomes]).toEqual(["data end"]);
  });
});

describe("flows that a fault has ended", () => {
  it("two hundred flows that fail, go silent or are over budget leave no row behind", async () => {
    await using peer = await echo();
    const client = (await runtime()).client();
    const before = client.openFlows;
    const policies: PolicyFields[] = [
      { halfOpen: { error: "silent" } },
      { halfOpen: { after: "3b" } },
      { halfOpen: { after: "7b", error: "silent" } },
      { sessionBudget: { maxRx: "2b", action: "timeout", budgetTimeout: "5ms" } },
      { latency: "5ms", halfOpen: { after: "3b", error: "unreachable" } },
      { payloadMutation: { type: "corrupt_bytes", corruptCount: 1 }, packetReorder: { stream: "swap" }, sessionBudget: { maxTx: "3b" } },
    ];
    const use = (n: number): Promise<void> =>
      withFaults(policies[n % policies.length]!, async () => {
        const socket = net.connect({ port: peer.port, host: "127.0.0.1", noDelay: true }).resume();
        const closed = new Promise((resolve) => socket.once("close", resolve));
        socket.on("error", () => {});
        socket.write("hello");
        socket.setTimeout(40, () => socket.destroy());
        await closed;
      });
    await Promise.all(Array.from({ length: 200 }, (_, n) => use(n)));
    await until("every row", () => client.openFlows === before);
    await until("every connection of the peer", () => peer.sockets.size === 0);
  });

  it("does not keep a process that exits", async () => {
    await using peer = await echo();
    const program = `import net from "node:net"; import { activate } from "faultcore";
      activate({ halfOpen: { error: "silent" } });
      const socket = net.connect(${peer.port}, "127.0.0.1", () => socket.write("x", () => setImmediate(() => process.exit(3))));`;
    const began = nowMs();
    const ended = start(process.execPath, ["--input-type=module", "-e", program], { cwd: dirname(fixture("many-scopes")) }).ended;
    expect(await ended).toMatchObject({ code: 3, stderr: "" });
    console.log(`a program with a silent connection exited after ${Math.round(nowMs() - began)} ms`);
  });
});
