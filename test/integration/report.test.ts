// What a scope's report proves, and strict scopes on real traffic.
import dns from "node:dns/promises";
import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import { faultScope, formatReport, install, reset, uninstall, withFaults } from "faultcore";
import type { FaultScope, MeasuredReport, PolicyFields } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { authority, localhost } from "../helpers/certificates.mjs";
import { closeSockets, echo as echoText, send, server, socket } from "../helpers/datagrams.ts";
import { failureOf, nowMs, timed } from "../helpers/measure.ts";
import { echo, listen } from "../helpers/peers.ts";
import { until } from "../helpers/runtime.ts";
import { talk, workerPeer } from "../helpers/worker-peer.ts";
import type { Talk, WorkerPeer } from "../helpers/worker-peer.ts";

let stamps: WorkerPeer;
beforeAll(async () => {
  install({ steer: "always" });
  stamps = await workerPeer("stamp");
});
afterEach(() => {
  closeSockets();
  reset();
});
afterAll(async () => {
  uninstall();
  await stamps[Symbol.asyncDispose]();
});

const open = (port: number, host = "127.0.0.1"): Promise<Talk> => talk({ port, host });
const nothing: unknown = expect.objectContaining({ code: "ERR_FAULTCORE_NOTHING_INJECTED" });

/** What was measured for a fault; times in all of it. */
function measured(scope: FaultScope, fault: string): MeasuredReport & { readonly totalMs: number } {
  const times = scope.report().faults[fault]?.measured;
  if (!times) throw new Error(`nothing was measured of ${fault}: ${formatReport(scope.report())}`);
  return { ...times, totalMs: times.count * times.meanMs };
}

describe("measured delays", () => {
  it.each(["uplink", "downlink"] as const)(
    "of the %s are at least what was asked for, and at most what the peer's clock saw",
    async (way) => {
      const conversation = await open(stamps.port);
      const scope = faultScope({ [way]: { latency: "40ms" } });
      const said = nowMs();
      const answer = await scope.run(() => conversation.ask("x"));
      const heard = nowMs();
      const atPeer = Number(answer.split(" ")[1]);
      const { count, meanMs, maxMs } = measured(scope, "latency");
      expect(count).toBe(1);
      expect(meanMs).toBeGreaterThanOrEqual(40);
      expect(meanMs).toBeLessThanOrEqual(way === "uplink" ? atPeer - said : heard - atPeer);
      expect(maxMs).toBeGreaterThanOrEqual(meanMs);
      // What was asked for, and how late the clock was: nothing else keeps a byte.
      const { lateness } = scope.report();
      expect(lateness).toMatchObject({ count: 1 });
      expect(lateness.meanMs).toBeGreaterThanOrEqual(0);
      expect(meanMs).toBeCloseTo(40 + lateness.meanMs, 3);
      await conversation.close();
    },
  );

  it("of connects are those of the dial and of the answer", async () => {
    const scope = faultScope({ latency: "30ms", packetLoss: "0.001%" });
    const { ms, value } = await timed(() => scope.run(() => open(stamps.port)));
    const { count, totalMs } = measured(scope, "latency");
    expect(count).toBe(2);
    expect(totalMs).toBeGreaterThanOrEqual(60);
    expect(totalMs).toBeLessThanOrEqual(ms);
    await value.close();
  });

  it("are there for each event of a fault, once its packet has left", async () => {
    const conversation = await open(stamps.port);
    const scope = faultScope({ latency: "5ms", jitter: "5ms", rate: "20mbps", packetLoss: "20%", seed: 3 });
    await scope.run(async () => {
      for (let n = 0; n < 8; n++) await conversation.ask("y".repeat(4000));
    });
    const { faults } = scope.report();
    for (const fault of ["latency", "jitter", "rate"]) expect(faults[fault]!.measured!.count).toBe(faults[fault]!.count);
    const lost = scope.events().filter(({ fault, decision }) => fault === "packet_loss" && decision !== "recovered").length;
    expect(lost).toBeGreaterThan(0);
    expect(faults["packet_loss"]!.measured!.count).toBe(lost);
    // A lost packet waits for its repair on top.
    expect(faults["packet_loss"]!.measured!.meanMs).toBeGreaterThan(faults["latency"]!.measured!.meanMs);
    await conversation.close();
  });

  it("of lookups, datagrams and timeouts too", async () => {
    const lookups = faultScope({ dns: { delay: "20ms" } });
    const looked = await timed(() => lookups.run(() => dns.lookup("localhost")));
    const failing = faultScope({ dns: { timeout: "20ms" } });
    const failed = await timed(() => failureOf(failing.run(() => dns.lookup("localhost"))));
    const peer = await server("udp4", echoText);
    const sender = socket();
    const datagrams = faultScope({ latency: "20ms" });
    const sent = await timed(() =>
      datagrams.run(async () => {
        const answered = once(sender, "message");
        await send(sender, "x", peer.port);
        await answered;
      }),
    );
    await using silent = await listen(net.createServer(() => {}));
    const conversation = await open(silent.port);
    const waiting = faultScope({ timeout: { recv: "20ms" } });
    const waited = await timed(() => failureOf(waiting.run(() => conversation.ask("x"))));
    const connecting = faultScope({ latency: "30ms", timeout: { connect: "20ms" } });
    const connected = await timed(() => failureOf(connecting.run(() => open(stamps.port))));
    const spending = faultScope({ sessionBudget: { maxTx: "2b", action: "timeout", budgetTimeout: "20ms" } });
    const poor = await open(stamps.port);
    const spent = await timed(() => failureOf(spending.run(() => poor.ask("long"))));
    for (const [scope, fault, ms, count] of [
      [spending, "session_budget", spent.ms, 1],
      [lookups, "dns", looked.ms, 1],
      [failing, "dns", failed.ms, 1],
      [datagrams, "latency", sent.ms, 2],
      [waiting, "timeout", waited.ms, 1],
      [connecting, "timeout", connected.ms, 1],
    ] as const) {
      const times = measured(scope, fault);
      expect(times.count).toBe(count);
      expect(times.totalMs).toBeGreaterThanOrEqual(20 * count);
      expect(times.totalMs).toBeLessThanOrEqual(ms);
      expect(scope.report().lateness.meanMs).toBeGreaterThanOrEqual(0);
      expect(scope.report().lateness.count).toBeGreaterThan(0);
    }
  });

  it("are short where the scope was aborted, whatever was asked for", async () => {
    const conversation = await open(stamps.port);
    const scope = faultScope({ uplink: { latency: "300s" } });
    const { ms } = await timed(async () => {
      const asked = scope.run(() => conversation.ask("x"));
      await until("it is held", () => scope.report().injected === 1);
      expect(scope.report().faults["latency"]!.measured).toBe(null);
      scope.abort();
      await asked;
    });
    expect(scope.report().faults["latency"]!.delayMs).toBe(300_000);
    expect(measured(scope, "latency").totalMs).toBeLessThanOrEqual(ms);
    await conversation.close();
  });
});

describe("a connect that fails after its scope has ended", () => {
  it.each([
    ["connection_error", { connectionError: { kind: "refused" }, latency: "50ms" }, "ECONNREFUSED"],
    ["timeout", { timeout: { connect: "60ms" }, latency: "500ms" }, "ETIMEDOUT"],
  ] as const)("by %s is in the report of that scope, and counts in no other", async (fault, fields, code) => {
    await using peer = await echo();
    const scope = faultScope(fields);
    const failed = await scope.run(async () => {
      const failure = failureOf(once(net.connect({ port: peer.port, host: "127.0.0.1" }), "connect"));
      await until("the connect was planned", () => scope.report().injected > 0);
      return { failure };
    });
    expect(scope.report().faults[fault]).toBeUndefined();
    const later = faultScope({ latency: "1ms" });
    await later.run(() => failed.failure);
    expect((await failed.failure).code).toBe(code);
    expect(scope.report()).toMatchObject({ injected: 3, faults: { [fault]: { count: 1, codes: { [code]: 1 } } } });
    expect(later.report()).toMatchObject({ injected: 0, events: { recorded: 0 } });
  });
});

describe("how a flow matched", () => {
  async function flowsOf(policy: PolicyFields, run: () => Promise<unknown>): Promise<unknown[]> {
    const scope = faultScope({ latency: "1ms", ...policy });
    await scope.run(run);
    const report = scope.report();
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
    return report.flows.map(({ matched, leftAlone, rule }) => [leftAlone ?? matched, rule?.index ?? null]);
  }
  const ask = async (host?: string): Promise<void> => (await open(stamps.port, host)).close();

  it("is told by the kind of rule, and by whom the name was looked up", async () => {
    expect(await flowsOf({}, ask)).toEqual([["no targets", null]]);
    expect(await flowsOf({ targets: ["10.0.0.1", "127.0.0.1"] }, ask)).toEqual([["address", 1]]);
    expect(await flowsOf({ targets: ["127.0.0.0/8"] }, ask)).toEqual([["network", 0]]);
    expect(await flowsOf({ targets: ["localhost"] }, () => ask("localhost"))).toContainEqual(["host name", 0]);
    await dns.lookup("localhost", 4);
    expect(await flowsOf({ targets: ["localhost"] }, ask)).toEqual([["guessed name", 0]]);
    const looked = async (): Promise<void> => {
      await dns.lookup("localhost", 4);
      await ask();
    };
    expect(await flowsOf({ targets: ["localhost"] }, looked)).toEqual([["looked-up name", 0]]);
    expect(await flowsOf({ targets: ["10.0.0.1"] }, ask)).toEqual([["no rule matched", null]]);
    expect(await flowsOf({ targets: ["127.0.0.0/8", { host: "127.0.0.1", exclude: true, priority: 200 }] }, ask)).toEqual([
      ["a rule excludes it", 1],
    ]);
    expect(await flowsOf({ skip: 1 }, ask)).toEqual([["skip or times", null]]);
  });

  it("by the server name of TLS", async () => {
    await using peer = await listen(tls.createServer(localhost, (accepted) => accepted.end()));
    const secure = async (): Promise<void> => {
      const connection = tls.connect({ port: peer.port, host: "127.0.0.1", servername: "localhost", ca: authority });
      connection.resume();
      await once(connection, "close");
    };
    expect(await flowsOf({ targets: [{ sni: "localhost" }] }, secure)).toEqual([["server name", 0]]);
  });
});

describe("a strict scope on real traffic", () => {
  it("fails where no rule matches, and where the policy only says what it would do", async () => {
    await using peer = await echo();
    const conversation = await open(peer.port);
    const asking = (policy: PolicyFields): Promise<string> => withFaults(policy, () => conversation.ask("x"), { strict: true });
    await expect(asking({ latency: "1ms", targets: ["10.0.0.0/8"] })).rejects.toThrow(/10\.0\.0\.0\/8/);
    await expect(asking({ payloadMutation: { enabled: true, type: "truncate", truncateSize: "1b", dryRun: true } })).rejects.toThrow(
      nothing,
    );
    expect(await asking({ latency: "1ms" })).toBe("x");
    await conversation.close();
  });

  it("never fails where something was injected, however short it is and whatever else runs", async () => {
    await using peer = await echo();
    const one = async (): Promise<void> => {
      const conversation = await open(peer.port);
      for (let n = 0; n < 10; n++) {
        expect(await withFaults({ uplink: { latency: "100us" } }, () => conversation.ask("x"), { strict: true })).toBe("x");
      }
      await conversation.close();
    };
    await Promise.all(Array.from({ length: 20 }, one));
  });

  it("says what is so also of a call that returns while the relay decides", async () => {
    await using peer = await echo();
    const conversation = await open(peer.port);
    for (let n = 0; n < 30; n++) {
      const scope = faultScope({ uplink: { latency: "1ms" } }, { strict: true });
      // At once; when the relay has decided; and somewhere in between.
      const limitMs = [0, 10_000, (n % 10) / 10][n % 3]!;
      const spins = n % 3 === 1 ? (): boolean => scope.report().injected === 0 : (): boolean => true;
      let failure: unknown;
      try {
        scope.run(() => {
          conversation.say("x");
          for (const endMs = nowMs() + limitMs; nowMs() < endMs && spins(););
        });
      } catch (error) {
        failure = error;
      }
      const { injected } = scope.report();
      expect(await conversation.hear()).toBe("x");
      expect(scope.report().injected).toBe(injected);
      expect(failure).toEqual(injected === 0 ? nothing : undefined);
      expect(n % 3 === 1 && injected === 0).toBe(false);
    }
    await conversation.close();
  });
});
