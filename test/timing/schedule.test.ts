import { Worker } from "node:worker_threads";
import { once } from "node:events";
import { activate, faultScope, install, registerPolicy, reset, uninstall, withFaults } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { nowMs, timed } from "../helpers/measure.ts";
import { echo } from "../helpers/peers.ts";
import { talk, workerPeer } from "../helpers/worker-peer.ts";

beforeAll(() => install({ steer: "always" }));
afterEach(() => reset());
afterAll(() => uninstall());

async function connectOnce(port: number): Promise<void> {
  const conversation = await talk({ port, host: "127.0.0.1" });
  await conversation.close();
}

describe("a schedule on real sockets", () => {
  it("flapping: an outage that ends lets through what it held, and starts no clock of its own at the next call", async () => {
    await using peer = await workerPeer("stamp");
    const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
    registerPolicy("flaps", { packetLoss: "100%", schedule: { kind: "flapping", on: "500ms", off: "10s" } });
    const began = nowMs();
    const first = await timed(() => withFaults("flaps", () => conversation.ask("held")));
    // RTO is 200 ms and a little: it is sent at 0, 1, 2, 4 RTO.
    expect(first.ms).toBeGreaterThanOrEqual(500);
    expect(first.ms).toBeLessThan(2000);
    const second = await timed(() => withFaults("flaps", () => conversation.ask("passes")));
    expect(nowMs() - began).toBeLessThan(10_500);
    expect(second.ms).toBeLessThan(400);
    await conversation.close();
  });

  it("flapping: a SYN of an outage is sent again after it", async () => {
    await using peer = await echo();
    const scope = faultScope({ packetLoss: "100%", schedule: { kind: "flapping", on: "500ms", off: "10s" } });
    const { ms } = await timed(() => scope.run(() => connectOnce(peer.port)));
    expect(ms).toBeGreaterThanOrEqual(1000);
    expect(ms).toBeLessThan(1900);
    expect(scope.report().faults["packet_loss"]?.count).toBe(1);
  });

  it("ramp: latency grows with the time since the policy was first applied, whatever scopes there are", async () => {
    await using peer = await workerPeer("stamp");
    const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
    registerPolicy("grows", { latency: "500ms", schedule: { kind: "ramp", ramp: "2s" } });
    const began = nowMs();
    for (let n = 0; n < 4; n++) {
      const share = (nowMs() - began) / 2000;
      const { ms } = await timed(() => withFaults("grows", () => conversation.ask("hello")));
      // Both ways were judged after the call began: never earlier than its share says.
      expect(ms).toBeGreaterThanOrEqual(Math.min(1, share) * 1000 - 2);
      expect(ms).toBeLessThan(Math.min(1, share + 0.6) * 1000 + 300);
    }
    await conversation.close();
  });

  it("ramp: a rate does not begin near zero", async () => {
    await using peer = await workerPeer("stamp");
    const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
    const { ms } = await timed(() =>
      withFaults({ rate: "8kbps", schedule: { kind: "ramp", ramp: "60s" } }, () => conversation.ask("x".repeat(1000))),
    );
    // At 8 kbit/s this line alone would take a second.
    expect(ms).toBeLessThan(500);
    await conversation.close();
  });

  it("anchor scope: each scope has a clock of its own; process: all have one, an activation too", async () => {
    await using peer = await echo();
    const slow = (anchor: "process" | "scope"): Promise<boolean> =>
      timed(() =>
        withFaults({ latency: "150ms", schedule: { kind: "flapping", on: "250ms", off: "20s", anchor } }, () => connectOnce(peer.port)),
      ).then(({ ms }) => ms >= 300);
    expect([await slow("scope"), await slow("scope")]).toEqual([true, true]);
    expect([await slow("process"), await slow("process")]).toEqual([true, false]);
    registerPolicy("flaps", { latency: "150ms", schedule: { kind: "flapping", on: "250ms", off: "20s" } });
    const connects = async (): Promise<boolean> => (await timed(() => connectOnce(peer.port))).ms >= 300;
    const outcomes: boolean[] = [];
    for (let n = 0; n < 2; n++) {
      using _ = activate("flaps");
      outcomes.push(await connects());
    }
    // Registered again, its clock starts anew.
    registerPolicy("flaps", { latency: "150ms", schedule: { kind: "flapping", on: "250ms", off: "20s" } });
    using _ = activate("flaps");
    outcomes.push(await connects());
    expect(outcomes).toEqual([true, false, true]);
  });

  it("a worker thread goes on with the clock of the thread that made it", async () => {
    await using peer = await echo();
    registerPolicy("flaps", { latency: "150ms", schedule: { kind: "flapping", on: "200ms", off: "20s" } });
    const { ms: first } = await timed(() => withFaults("flaps", () => connectOnce(peer.port)));
    expect(first).toBeGreaterThanOrEqual(300);
    const worker = new Worker(new URL("../fixtures/programs/timed-connect.mjs", import.meta.url), { workerData: peer.port, execArgv: [] });
    const [ms] = (await once(worker, "message")) as [number];
    await worker.terminate();
    // Starting the thread's relay is in it; two delays would be 300 ms.
    expect(ms).toBeLessThan(300);
  });
});
