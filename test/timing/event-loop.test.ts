import { install, isInjected, reset, uninstall, withFaults } from "faultcore";
import type { PolicyFields } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { failureOf, figures, median, nowMs, timed, upToThreeTimes } from "../helpers/measure.ts";
import { echo } from "../helpers/peers.ts";
import { talk, workerPeer } from "../helpers/worker-peer.ts";

const FIFTY: PolicyFields = { latency: "50ms" };

beforeAll(() => install());
afterEach(() => {
  vi.useRealTimers();
  reset();
});
afterAll(() => uninstall());

describe("the program's event loop", () => {
  /** Keeps the loop busy for 30 of every 40 ms until it is told to stop. */
  function blockLoop(): () => void {
    const timer = setInterval(() => {
      const until = nowMs() + 30;
      while (nowMs() < until);
    }, 40);
    return () => clearInterval(timer);
  }

  /** One-way delays of 25 messages on an open flow, as the peer sees them. A message is sent at the start of each block of the loop. */
  async function uplinkDelays(port: number, blocked: boolean): Promise<number[]> {
    return withFaults(FIFTY, async () => {
      const conversation = await talk({ port, host: "127.0.0.1" });
      const sent: number[] = [];
      await new Promise<void>((resolve) => {
        const timer = setInterval(() => {
          sent.push(nowMs());
          conversation.say(`${sent.length - 1}`);
          const until = blocked ? nowMs() + 30 : 0;
          while (nowMs() < until);
          if (sent.length < 25) return;
          clearInterval(timer);
          resolve();
        }, 40);
      });
      const delays: number[] = [];
      for (const sentMs of sent) delays.push(Number((await conversation.hear()).split(" ")[1]) - sentMs);
      await conversation.close();
      return delays;
    });
  }

  it("does not change what the peer sees when it is blocked for 30 of every 40 ms", async () => {
    await using peer = await workerPeer("stamp");
    const free = await uplinkDelays(peer.port, false);
    const blocked = await upToThreeTimes(
      () => uplinkDelays(peer.port, true),
      (delays) => median(delays) < median(free) + 3,
    );
    console.log(`one-way delays at the peer: free ${figures(free)}, loop blocked ${figures(blocked)} ms`);
    expect(Math.min(...free, ...blocked)).toBeGreaterThanOrEqual(50);
    expect(median(blocked) - median(free)).toBeLessThan(3);
  });

  it("costs a connect the time until it is free again, and not more", async () => {
    await using peer = await workerPeer("stamp");
    const connects = async (): Promise<number[]> => {
      const times: number[] = [];
      for (let n = 0; n < 10; n++) {
        const { ms, value } = await timed(() => withFaults(FIFTY, () => talk({ port: peer.port, host: "127.0.0.1" })));
        times.push(ms);
        await value.close();
      }
      return times;
    };
    const free = await connects();
    const stop = blockLoop();
    const blocked = await connects();
    stop();
    console.log(`connect at 50 ms one way: loop free ${figures(free)}, blocked 30 of 40 ms ${figures(blocked)} ms`);
    expect(Math.min(...free, ...blocked)).toBeGreaterThanOrEqual(100);
    // One block may delay the verdict, another one the leg's own completion.
    expect(median(blocked) - median(free)).toBeLessThan(75);
  });

  it("may run on fake timers, all of them: real delays, as the peer and the program see them", async () => {
    await using peer = await workerPeer("stamp");
    // `nextTick` cannot be faked in a child process: vitest refuses.
    vi.useFakeTimers({
      toFake: [
        "setTimeout",
        "clearTimeout",
        "setInterval",
        "clearInterval",
        "setImmediate",
        "clearImmediate",
        "Date",
        "performance",
        "queueMicrotask",
        "hrtime",
      ],
    });
    const frozen = Date.now();
    await withFaults(FIFTY, async () => {
      const began = nowMs();
      const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
      expect(nowMs() - began).toBeGreaterThanOrEqual(100);
      const delays: number[] = [];
      for (let round = 0; round < 10; round++) {
        const sent = nowMs();
        delays.push(Number((await conversation.ask("x")).split(" ")[1]) - sent);
        expect(nowMs() - sent).toBeGreaterThanOrEqual(100);
      }
      console.log(`one-way delays at the peer: fake timers ${figures(delays)} ms`);
      expect(Math.min(...delays)).toBeGreaterThanOrEqual(50);
      expect(median(delays)).toBeLessThan(56);
      await conversation.close();
    });
    expect(Date.now()).toBe(frozen);
  });

  it("on fake timers, a connect timeout and a refused connect still come when they should", async () => {
    await using peer = await workerPeer("stamp");
    vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "setImmediate", "Date", "performance", "queueMicrotask", "hrtime"] });
    for (const [policy, code, least] of [
      [{ latency: "50ms", timeout: { connect: "20ms" } }, "ETIMEDOUT", 20],
      [{ latency: "20ms", connectionError: { kind: "refused" } }, "ECONNREFUSED", 40],
    ] satisfies [PolicyFields, string, number][]) {
      const began = nowMs();
      await expect(withFaults(policy, () => talk({ port: peer.port, host: "127.0.0.1" }))).rejects.toMatchObject({ code });
      expect(nowMs() - began).toBeGreaterThanOrEqual(least);
    }
  });

  it("on fake timers, only the injected one of two failed addresses is marked", async () => {
    const addresses = [
      { address: "127.0.0.2", family: 4 },
      { address: "127.0.0.1", family: 4 },
    ];
    let port = 0;
    {
      await using peer = await echo();
      port = peer.port;
    }
    vi.useFakeTimers({ toFake: ["queueMicrotask"] });
    const error = await failureOf(
      withFaults({ connectionError: { kind: "refused" }, targets: ["127.0.0.2"] }, () =>
        talk({ port, host: "two.test", autoSelectFamily: true, lookup: (_name, _options, done) => done(null, addresses) }),
      ),
    );
    expect((error as unknown as AggregateError).errors.map(isInjected)).toEqual([true, false]);
  });
});
