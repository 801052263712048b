// Aborting a scope ends the waits that it injected. All delays here are longer than a test may take.
import dns from "node:dns/promises";
import { once } from "node:events";
import net from "node:net";
import { activate, faultScope, install, isInjected, reset, uninstall, withFaults } from "faultcore";
import type { FaultScope } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { closeSockets, echo as echoText, send, server, socket } from "../helpers/datagrams.ts";
import { failureOf, timed } from "../helpers/measure.ts";
import { echo, serve } from "../helpers/peers.ts";
import { until } from "../helpers/runtime.ts";
import { talk } from "../helpers/worker-peer.ts";
import type { Talk } from "../helpers/worker-peer.ts";

beforeAll(() => install({ steer: "always" }));
afterEach(() => {
  closeSockets();
  reset();
});
afterAll(() => uninstall());

const open = (port: number): Promise<Talk> => talk({ port, host: "127.0.0.1" });
const injected = (scope: FaultScope) => (): boolean => scope.report().injected > 0;
const FOR_EVER = "300s";

describe("abort() of a scope", () => {
  it.each(["uplink", "downlink"])("lets bytes that wait on the %s go, in order and once", async (direction) => {
    await using peer = await echo();
    const conversation = await open(peer.port);
    const scope = faultScope({ [direction]: { latency: FOR_EVER, jitter: "1s" } });
    const lines = Array.from({ length: 20 }, (_, n) => `${n} ${"x".repeat(2000)}`);
    const asked = scope.run(async () => {
      for (const line of lines) conversation.say(line);
      const heard: string[] = [];
      while (heard.length < lines.length) heard.push(await conversation.hear());
      return heard;
    });
    await until("the bytes are held", injected(scope));
    scope.abort();
    expect(await asked).toEqual(lines);
    expect(scope.report().state).toBe("ended");
    await conversation.close();
  });

  it("lets an end go that waits, behind its bytes", async () => {
    const heard: string[] = [];
    let ended = (): void => {};
    const over = new Promise<void>((resolve) => (ended = resolve));
    await using peer = await serve((accepted) => accepted.on("data", (chunk) => heard.push(String(chunk))).on("end", ended));
    const conversation = await open(peer.port);
    const scope = faultScope({ uplink: { latency: FOR_EVER } });
    void scope.run(async () => {
      conversation.socket.end("last words");
      await over;
    });
    await until("the bytes are held", injected(scope));
    expect(heard).toEqual([]);
    scope.abort();
    await over;
    expect(heard.join("")).toBe("last words");
    await conversation.close();
  });

  it.each([
    ["long latency", { latency: FOR_EVER }],
    ["a long way back", { downlink: { latency: FOR_EVER } }],
    ["100% loss", { packetLoss: "100%" }],
    ["a refusal that is on its way", { latency: FOR_EVER, connectionError: { kind: "refused" } }],
    ["a timeout that is running", { latency: FOR_EVER, timeout: { connect: "200s", recv: "200s" } }],
  ] as const)("connects what waits under %s", async (_what, policy) => {
    await using peer = await echo();
    const scope = faultScope(policy);
    const connecting = scope.run(async () => open(peer.port));
    await until("the connect is held", injected(scope));
    scope.abort();
    const conversation = await connecting;
    expect(await conversation.ask("hello")).toBe("hello");
    expect(Object.values(scope.report().faults).flatMap(({ codes }) => Object.keys(codes))).toEqual(
      "packetLoss" in policy ? ["ETIMEDOUT"] : [],
    );
    await conversation.close();
  });

  it("answers a connect that was really refused", async () => {
    const closed = await echo();
    const { port } = closed;
    await closed[Symbol.asyncDispose]();
    const scope = faultScope({ downlink: { latency: FOR_EVER } });
    const failing = failureOf(scope.run(async () => open(port)));
    await until("the connect is held", injected(scope));
    scope.abort();
    const error = await failing;
    expect(error.code).toBe("ECONNREFUSED");
    expect(isInjected(error)).toBe(false);
  });

  it("lets lookups go that wait, for their answer or for their failure", async () => {
    for (const policy of [{ dns: { delay: FOR_EVER } }, { dns: { timeout: FOR_EVER } }, { dns: { delay: FOR_EVER, nxdomain: "100%" } }]) {
      const scope = faultScope(policy);
      const asked = scope.run(() => dns.lookup("localhost"));
      // A lookup that only hangs has no event before it fails.
      if (policy.dns.timeout === undefined) await until("the lookup is held", injected(scope));
      scope.abort();
      expect((await asked).address).toMatch(/127\.0\.0\.1|::1/);
    }
  });

  it("lets datagrams go that wait, in order, in both directions", async () => {
    const peer = await server("udp4", echoText);
    const sender = socket();
    const heard: string[] = [];
    sender.on("message", (bytes) => heard.push(String(bytes)));
    const up = faultScope({ uplink: { latency: FOR_EVER } });
    await up.run(async () => {
      for (const text of ["a", "b", "c"]) await send(sender, text, peer.port);
      up.abort();
      await until("all have come", () => peer.heard.length === 3 && heard.length === 3);
    });
    expect(peer.heard.map(({ text }) => text)).toEqual(["a", "b", "c"]);
    const down = faultScope({ downlink: { latency: FOR_EVER } });
    await down.run(async () => {
      for (const text of ["d", "e"]) await send(sender, text, peer.port);
      await until("both answers are held", () => down.report().injected === 2);
      down.abort();
      await until("they have come", () => heard.length === 5);
    });
    expect(heard).toEqual(["re a", "re b", "re c", "re d", "re e"]);
  });

  it("brings a failure that is on its way at once", async () => {
    await using peer = await echo();
    for (const policy of [
      { downlink: { latency: FOR_EVER }, halfOpen: { after: "3b", error: "reset" } },
      { downlink: { latency: FOR_EVER }, connectionError: { kind: "reset" } },
      { sessionBudget: { maxTx: "2b", action: "timeout", budgetTimeout: FOR_EVER } },
    ] as const) {
      const conversation = await open(peer.port);
      const scope = faultScope(policy);
      const failing = failureOf(scope.run(() => conversation.ask("hello")));
      await until("the flow is doomed", injected(scope));
      scope.abort();
      expect(isInjected(await failing)).toBe(true);
      await conversation.close();
    }
  });

  it("frees what a normal end left waiting", async () => {
    await using peer = await echo();
    const conversation = await open(peer.port);
    const scope = faultScope({ uplink: { latency: FOR_EVER } });
    let said = false;
    await scope.run(async () => {
      conversation.say("held");
      await until("the bytes are held", injected(scope));
    });
    const heard = conversation.hear().then((line) => {
      said = true;
      return line;
    });
    expect(scope.signal.aborted).toBe(true);
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(said).toBe(false);
    scope.abort();
    expect(await heard).toBe("held");
    await conversation.close();
  });

  it("leaves other scopes on the same connection what they hold", async () => {
    await using peer = await echo();
    const conversation = await open(peer.port);
    const first = faultScope({ uplink: { latency: "150ms" } });
    const second = faultScope({ uplink: { latency: FOR_EVER } });
    const { ms } = await timed(async () => {
      const asked = first.run(() => conversation.ask("first"));
      await until("the first is held", injected(first));
      const askedNext = second.run(() => conversation.ask("second"));
      await until("the second is held", injected(second));
      second.abort();
      expect(await asked).toBe("first");
      expect(await askedNext).toBe("second");
    });
    // The second waits behind the first, and no longer.
    expect(ms).toBeGreaterThanOrEqual(150);
    await conversation.close();
  });
});

describe("the option signal", () => {
  it("aborts the scope of a call, with its reason, and the faults of later calls are none", async () => {
    await using peer = await echo();
    const controller = new AbortController();
    const { signal } = controller;
    const connecting = withFaults({ packetLoss: "100%" }, () => open(peer.port), { signal });
    setImmediate(() => controller.abort());
    await (await connecting).close();
    // Aborted before: the call is not faulted at all.
    await (await withFaults({ packetLoss: "100%" }, () => open(peer.port), { signal })).close();
  });

  it("aborts a fault scope with its reason; one that was aborted before cannot be run", () => {
    const controller = new AbortController();
    const scope = faultScope({ latency: "1ms" }, { signal: controller.signal });
    scope.run(() => {
      controller.abort("enough");
      expect(scope.signal.reason).toBe("enough");
      expect(scope.report().state).toBe("ended");
    });
    const late = faultScope({ latency: "1ms" }, { signal: controller.signal });
    expect(() => late.run(() => {})).toThrow(expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_USE" }));
    expect(late.signal.reason).toBe("enough");
  });

  it("aborts as many scopes as follow it, without a warning", async () => {
    await using peer = await echo();
    const controller = new AbortController();
    const { signal } = controller;
    const connecting = Array.from({ length: 20 }, () => withFaults({ packetLoss: "100%" }, () => open(peer.port), { signal }));
    const warned: Error[] = [];
    const onWarning = (warning: Error): void => void warned.push(warning);
    process.on("warning", onWarning);
    setImmediate(() => controller.abort());
    for (const conversation of await Promise.all(connecting)) await conversation.close();
    process.off("warning", onWarning);
    expect(warned).toEqual([]);
  });

  it("disposes of an activation", async () => {
    await using peer = await echo();
    const controller = new AbortController();
    const activation = activate({ packetLoss: "100%" }, { signal: controller.signal });
    const raw = net.connect(peer.port, "127.0.0.1");
    const connected = once(raw, "connect");
    await until("the connect is held", () => activation.report().injected > 0);
    controller.abort();
    expect(activation.active).toBe(false);
    await connected;
    raw.destroy();
  });
});
