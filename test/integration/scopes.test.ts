import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { activate, faultScope, install, onFault, reset, uninstall, withFaults, withoutFaults } from "faultcore";
import type { FaultEvent } from "faultcore";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { takeWarnings } from "../helpers/fail-on-warning.ts";
import { failureOf, median, nowMs, timed } from "../helpers/measure.ts";
import { listen } from "../helpers/peers.ts";
import { talk, workerPeer } from "../helpers/worker-peer.ts";
import type { Talk } from "../helpers/worker-peer.ts";

const open = (port: number): Promise<Talk> => talk({ port, host: "127.0.0.1" });

async function get(port: number, agent: http.Agent): Promise<void> {
  const request = http.get({ port, host: "127.0.0.1", agent });
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  response.resume();
  await once(response, "end");
}

const asking = async (conversation: Talk): Promise<number> => (await timed(() => conversation.ask("x"))).ms;

beforeEach(() => install({ steer: "always" }));
afterEach(() => reset());
afterAll(() => uninstall());

describe("nested scopes", () => {
  it("the inner one governs alone, and the outer one goes on after it", async () => {
    await using peer = await workerPeer("stamp");
    const outer = faultScope({ latency: "10ms" });
    const inner = faultScope({ latency: "60ms" });
    await outer.run(async () => {
      const conversation = await open(peer.port);
      await asking(conversation);
      const within = await inner.run(() => asking(conversation));
      expect(within).toBeGreaterThanOrEqual(120);
      const after = [await asking(conversation), await asking(conversation), await asking(conversation)];
      expect(Math.min(...after)).toBeGreaterThanOrEqual(20);
      expect(median(after)).toBeLessThan(100);
      await conversation.close();
    });
    expect(new Set(outer.events().map(({ delayMs }) => delayMs))).toEqual(new Set([10]));
    expect(inner.events().map(({ delayMs }) => delayMs)).toEqual([60, 60]);
  });

  it("withoutFaults shields from scopes around it and from activations", async () => {
    await using peer = await workerPeer("stamp");
    using outage = activate({ connectionError: { kind: "refused" } });
    expect(outage.active).toBe(true);
    await withFaults({ latency: "10m" }, () =>
      withoutFaults(async () => {
        const conversation = await open(peer.port);
        await conversation.ask("x");
        await conversation.close();
      }),
    );
  });
});

describe("activate()", () => {
  it("governs open connections and new ones, follows update(), and ends when it is disposed of", async () => {
    await using peer = await workerPeer("stamp");
    const conversation = await open(peer.port);
    const activation = activate({ latency: "30ms" });
    expect(await asking(conversation)).toBeGreaterThanOrEqual(60);
    activation.update({ latency: "50ms" });
    expect(await asking(conversation)).toBeGreaterThanOrEqual(100);
    const { ms, value: second } = await timed(() => open(peer.port));
    expect(ms).toBeGreaterThanOrEqual(100);
    // A scope is nearer.
    expect(await withFaults({ latency: "5ms" }, () => asking(conversation))).toBeLessThan(100);
    expect(activation.events().every(({ delayMs }) => delayMs === 50)).toBe(true);
    activation.update({ connectionError: { kind: "refused" } });
    expect(await failureOf(open(peer.port))).toMatchObject({ code: "ECONNREFUSED" });
    activation.dispose();
    expect(activation.active).toBe(false);
    const third = await open(peer.port);
    expect(await asking(third)).toBeLessThan(60);
    await Promise.all([conversation, second, third].map((each) => each.close()));
  });

  it("keeps the old policy when an update is invalid", async () => {
    using activation = activate({ latency: "20ms" });
    expect(() => activation.update({ latency: "20 parsecs" })).toThrow(expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_POLICY" }));
    await using peer = await workerPeer("stamp");
    const { ms, value } = await timed(() => open(peer.port));
    expect(ms).toBeGreaterThanOrEqual(40);
    await value.close();
  });
});

describe("a connection that was opened before the scope", () => {
  it("is faulted in the scope and free of it after, on the same pooled connection", async () => {
    await using web = await listen(http.createServer((_request, response) => response.end("ok")));
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const request = async (): Promise<number> => (await timed(() => get(web.port, agent))).ms;
    await request();
    const scope = faultScope({ latency: "300ms" });
    expect(await scope.run(request)).toBeGreaterThanOrEqual(600);
    expect(await request()).toBeLessThan(300);
    expect(web.accepted()).toBe(1);
    expect(scope.report()).toMatchObject({ injected: 2, state: "ended", unsteered: 0, shared: false });
    agent.destroy();
  });

  it("cannot be faulted where it was not steered: the report counts it, and the process warns once", async () => {
    uninstall();
    await using peer = await workerPeer("stamp");
    const first = await open(peer.port);
    const second = await open(peer.port);
    const scope = faultScope({ latency: "10m" });
    await scope.run(async () => {
      await first.ask("x");
      await second.ask("x");
      await first.ask("x");
    });
    expect(scope.report()).toMatchObject({ unsteered: 2, injected: 0, flows: [] });
    await withFaults({ latency: "10m" }, () => first.ask("x"));
    expect(await takeWarnings()).toEqual([expect.objectContaining({ name: "FaultcoreWarning", code: "FAULTCORE_UNSTEERED" })]);
    await first.close();
    await second.close();
  });
});

describe("re-binding by write", () => {
  it("gives each message the fate of the scope that wrote it, in both directions", async () => {
    await using peer = await workerPeer("stamp");
    const conversation = await open(peer.port);
    for (let round = 0; round < 3; round++) {
      for (const latencyMs of [40, 5, 20]) {
        const scope = faultScope({ latency: `${latencyMs}ms` });
        expect(await scope.run(() => asking(conversation))).toBeGreaterThanOrEqual(2 * latencyMs);
        expect(scope.events().map(({ delayMs, direction }) => [delayMs, direction])).toEqual([
          [latencyMs, "uplink"],
          [latencyMs, "downlink"],
        ]);
      }
    }
    await conversation.close();
  });

  it("never lets later bytes overtake earlier ones, whoever wrote them", async () => {
    await using peer = await workerPeer("stamp");
    const conversation = await open(peer.port);
    const began = nowMs();
    const slow = withFaults({ uplink: { latency: "80ms" } }, () => conversation.ask("slow"));
    const fast = withFaults({ uplink: { latency: "1ms" } }, () => conversation.ask("fast"));
    const [first, second] = [(await slow).split(" "), (await fast).split(" ")];
    expect([first[0], second[0]]).toEqual(["slow", "fast"]);
    expect(Number(first[1]) - began).toBeGreaterThanOrEqual(80);
    expect(Number(second[1])).toBeGreaterThanOrEqual(Number(first[1]));
    await conversation.close();
  });

  it("counts what was written only where the scope changes: Node goes through all writes that wait, each time", async () => {
    await using peer = await workerPeer("sink", { bytes: 6000 });
    const reads = await withFaults({ latency: "20ms" }, async () => {
      const socket = net.connect({ port: peer.port, host: "127.0.0.1" });
      let counted = 0;
      const { bytesWritten } = Object.getOwnPropertyDescriptors(net.Socket.prototype) as { bytesWritten: PropertyDescriptor };
      Object.defineProperty(socket, "bytesWritten", {
        configurable: true,
        get(this: net.Socket) {
          counted++;
          return bytesWritten.get?.call(this) as number;
        },
      });
      const write = (times: number): void => {
        for (let n = 0; n < times; n++) socket.write("xx");
      };
      write(1000);
      await withFaults({ latency: "30ms" }, async () => {
        write(1000);
        await once(socket, "connect");
      });
      socket.cork();
      write(1000);
      process.nextTick(() => socket.uncork());
      const [report] = (await once(socket, "data")) as [Buffer];
      expect(JSON.parse(String(report))).toMatchObject({ bytes: 6000 });
      socket.destroy();
      return counted;
    });
    expect(reads).toBeLessThan(10);
  });

  it("a write outside of all scopes unbinds", async () => {
    await using peer = await workerPeer("stamp");
    const scope = faultScope({ latency: "1s" });
    const conversation = await open(peer.port);
    let finish: () => void = () => {};
    const held = scope.run(() => new Promise<void>((resolve) => (finish = resolve)));
    const asked = asking(conversation);
    expect(await asked).toBeLessThan(1000);
    expect(scope.report().state).toBe("live");
    expect(scope.report().flows).toEqual([]);
    finish();
    await held;
    await conversation.close();
  });
});

describe("what a scope tells", () => {
  it("its report says what was applied and what it did, as data that survives JSON", async () => {
    await using peer = await workerPeer("stamp");
    const scope = faultScope({ latency: "10ms", packetLoss: "0%", seed: 77, targets: ["127.0.0.0/8", { hostname: "db.test" }] });
    expect(scope.report()).toMatchObject({ state: "not started", injected: 0, flows: [] });
    await scope.run(async () => {
      const conversation = await open(peer.port);
      await conversation.ask("x");
      expect(scope.report().state).toBe("live");
      await conversation.close();
    });
    const report = scope.report();
    expect(report).toMatchObject({
      state: "ended",
      seed: "77",
      // The connect, one message up, one down; the connect's delay counts for each direction.
      injected: 4,
      flows: [
        {
          target: "127.0.0.1:#0",
          flow: 0,
          address: "127.0.0.1",
          port: peer.port,
          governed: true,
          rule: { index: 0, text: "127.0.0.0/8" },
          events: 4,
        },
      ],
      faults: { latency: { count: 4, delayMs: 40, maxDelayMs: 10, held: 0, codes: {} } },
      unmatchedRules: [{ index: 1 }],
      silentFaults: [],
      events: { recorded: 4, kept: 4, dropped: 0 },
    });
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    expect(scope.signal.aborted).toBe(true);
  });

  it("the events are there when the bytes are that they explain", async () => {
    await using peer = await workerPeer("stamp");
    const conversation = await open(peer.port);
    for (let n = 0; n < 100; n++) {
      const scope = faultScope({ downlink: { latency: "1ms" } });
      const seen = await scope.run(async () => {
        await conversation.ask("x");
        return scope.events().map(({ direction, position }) => `${direction} ${position}`);
      });
      expect(seen).toEqual(["downlink 0.0.0"]);
    }
    await conversation.close();
  });

  it("onFault and the diagnostics channel hear every event, until they stop listening", async () => {
    await using peer = await workerPeer("stamp");
    const heard: FaultEvent[] = [];
    const published: unknown[] = [];
    const hearChannel = (event: unknown): void => void published.push(event);
    const stop = onFault((event) => heard.push(event));
    subscribe("faultcore:event", hearChannel);
    const call = async (): Promise<readonly FaultEvent[]> => {
      const scope = faultScope({ latency: "2ms" });
      await scope.run(async () => {
        const conversation = await open(peer.port);
        await conversation.ask("x");
        await conversation.close();
      });
      return scope.events();
    };
    const events = await call();
    expect(events.length).toBe(4);
    expect(heard).toEqual(events);
    expect(published).toEqual(events);
    stop();
    unsubscribe("faultcore:event", hearChannel);
    await call();
    expect(heard.length).toBe(4);
    expect(published.length).toBe(4);
  });
});
