import dns from "node:dns";
import { once } from "node:events";
import net from "node:net";
import timers from "node:timers";
import { promisify } from "node:util";
import { activate, faultScope, install, isInjected, reset, uninstall, withFaults, withoutFaults } from "faultcore";
import type { PolicyFields } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { dnsServer } from "../helpers/dns-server.ts";
import { errorShape } from "../helpers/error-shape.ts";
import { failureOf, nowMs, timed } from "../helpers/measure.ts";
import { serve } from "../helpers/peers.ts";
import { fixture, jsonLines, node } from "../helpers/programs.ts";

type Done = (error: Error | null, found: dns.LookupAddress[]) => void;

const lookup = promisify(dns.lookup);
const nxdomain: PolicyFields = { dns: { nxdomain: "100%" } };
const hangs = (ms: number): PolicyFields => ({ dns: { timeout: `${ms}ms` } });
const slow = (ms: number): PolicyFields => ({ dns: { delay: `${ms}ms` } });
const direct = new dns.Resolver();

beforeAll(() => install());
afterEach(() => reset());
afterAll(() => uninstall());

describe("what is left alone", () => {
  it("addresses: they are no names, in no interface", async () => {
    const scope = faultScope(nxdomain);
    await scope.run(async () => {
      expect(await lookup("127.0.0.1")).toEqual({ address: "127.0.0.1", family: 4 });
      expect(await dns.promises.lookup("::1")).toEqual({ address: "::1", family: 6 });
      // Some versions of the DNS client answer it, others do not: nobody's fault.
      expect(isInjected(await dns.promises.resolve4("127.0.0.1").catch((error: unknown) => error))).toBe(false);
      await using peer = await serve((socket) => socket.end());
      const socket = net.connect(peer.port, "127.0.0.1");
      await once(socket, "connect");
      socket.destroy();
    });
    expect(scope.report().flows.map(({ target }) => target)).toEqual(["127.0.0.1:#0"]);
    expect(scope.report().silentFaults).toEqual(["dns"]);
  });

  it("arguments that Node refuses: its own errors, at the call", async () => {
    const refused = (call: () => unknown): unknown => {
      try {
        void call();
      } catch (error) {
        const { code, message, name } = error as NodeJS.ErrnoException;
        return { code, message, name };
      }
      return "not refused";
    };
    const bad: (() => unknown)[] = [
      () => dns.lookup("localhost", undefined as never),
      () => dns.lookup(1 as never, () => {}),
      () => dns.lookup("localhost", { family: 5 }, () => {}),
      () => dns.lookup("localhost", { all: 1 } as never, () => {}),
      () => dns.promises.lookup("localhost", { hints: 1 << 20 }),
      () => dns.promises.lookup("localhost", "x" as never),
      () => dns.resolve4("localhost", undefined as never),
      () => dns.resolve("localhost", "NOPE", () => {}),
    ];
    for (const call of bad) {
      const expected = refused(call);
      expect(expected).not.toBe("not refused");
      expect(withFaults(nxdomain, () => refused(call))).toEqual(expected);
    }
  });

  it("lookups outside of the scope, of other scopes, and behind withoutFaults", async () => {
    const [inside, other, outside, shielded] = await Promise.all([
      failureOf(withFaults(nxdomain, () => lookup("localhost"))),
      withFaults({ latency: "1ms" }, () => lookup("localhost")),
      lookup("localhost"),
      withFaults(nxdomain, () => withoutFaults(() => lookup("localhost"))),
    ]);
    expect(inside.code).toBe("ENOTFOUND");
    for (const { address } of [other, outside, shielded]) expect(net.isIP(address)).not.toBe(0);
  });

  it("names that the rules do not mean; ports, addresses and protocols mean no lookup", async () => {
    await using server = await dnsServer({ "a.example.test": ["127.0.0.1"], "example.test": ["127.0.0.1"] });
    direct.setServers([server.address]);
    const resolve = promisify(direct.resolve4.bind(direct)) as (name: string) => Promise<string[]>;
    const scope = faultScope({
      dns: { nxdomain: "100%" },
      targets: ["127.0.0.0/8", "*.example.test", { hostname: "b.example.test", exclude: true }, "tcp://localhost", "example.test:80"],
    });
    await scope.run(async () => {
      expect((await failureOf(resolve("a.example.test"))).code).toBe("ENOTFOUND");
      expect(await resolve("example.test")).toEqual(["127.0.0.1"]);
      expect(isInjected(await failureOf(resolve("b.example.test")))).toBe(false);
      await lookup("localhost");
    });
    const { flows } = scope.report();
    expect(flows.map(({ target, governed, rule }) => [target, governed, rule?.index])).toEqual([
      ["a.example.test", true, 1],
      ["example.test", false, undefined],
      ["b.example.test", false, 2],
      ["localhost", false, undefined],
    ]);
  });

  it("functions keep their names, lengths and ways to be promisified", () => {
    expect([dns.lookup.name, dns.lookup.length, dns.promises.lookup.name, dns.promises.lookup.length]).toEqual(["lookup", 3, "lookup", 2]);
    expect(Object.getOwnPropertySymbols(dns.lookup).map(String)).toEqual(["Symbol(customPromisifyArgs)"]);
  });
});

describe("process-wide", () => {
  it("an activation faults lookups everywhere until it is disposed of", async () => {
    {
      using activation = activate(nxdomain);
      expect((await failureOf(lookup("localhost"))).code).toBe("ENOTFOUND");
      expect(activation.report().injected).toBe(1);
    }
    expect((await lookup("localhost")).family).toBeGreaterThan(0);
  });
});

describe("when the scope ends", () => {
  it("an answer that is kept is passed on at once", async () => {
    const scope = faultScope(slow(60_000));
    let answer: Promise<dns.LookupAddress> | undefined;
    const { ms } = await timed(async () => {
      scope.run(() => {
        answer = lookup("localhost");
      });
      expect((await answer)?.family).toBeGreaterThan(0);
    });
    expect(ms).toBeLessThan(30_000);
  });

  it("a lookup that hangs, or was to fail, is made after all", async () => {
    await using server = await dnsServer({ "known.test": ["127.0.0.7"] });
    const resolver = new dns.promises.Resolver();
    resolver.setServers([server.address]);
    for (const policy of [hangs(60_000), { dns: { nxdomain: "100%", delay: "1m" } } satisfies PolicyFields]) {
      const scope = faultScope(policy);
      const answers: Promise<unknown>[] = [];
      scope.run(() => {
        answers.push(lookup("localhost"), dns.promises.lookup("localhost"), resolver.resolve4("known.test"));
      });
      const [first, second, third] = await Promise.all(answers);
      expect(first).toEqual(second);
      expect(third).toEqual(["127.0.0.7"]);
      expect(scope.report().faults["dns"]?.codes ?? {}).toEqual({});
    }
  });
});

describe("Resolver.cancel()", () => {
  it("ends injected waits as it ends real queries: with ECANCELLED, which nobody injected", async () => {
    await using silent = await dnsServer("silent");
    await using answering = await dnsServer({ "known.test": ["127.0.0.1"] });
    const real = new dns.promises.Resolver();
    real.setServers([silent.address]);
    const cancelled = failureOf(real.resolve4("known.test"));
    real.cancel();
    const expected = errorShape(await cancelled);
    for (const policy of [hangs(60_000), slow(60_000)]) {
      const resolver = new dns.promises.Resolver();
      const neighbour = new dns.promises.Resolver();
      resolver.setServers([answering.address]);
      neighbour.setServers([answering.address]);
      await faultScope(policy).run(async () => {
        const failure = failureOf(resolver.resolve4("known.test"));
        const other = neighbour.resolve4("known.test");
        // Wherever it is: on its way, or held back.
        if (policy.dns?.delay !== undefined) await vi.waitUntil(() => answering.asked.length >= 2);
        resolver.cancel();
        const error = await failure;
        expect(errorShape(error)).toEqual(expected);
        expect(isInjected(error)).toBe(false);
        neighbour.cancel();
        expect((await failureOf(other)).code).toBe("ECANCELLED");
      });
    }
  });
});

describe("fake timers", () => {
  it("do not stop a lookup's time, and named imports of timers stay what they are", async () => {
    uninstall();
    const { setTimeout: real } = await import("node:timers");
    const fake = (() => {
      throw new Error("a fake timer was used");
    }) as unknown as typeof setTimeout;
    vi.useFakeTimers({ toFake: ["setTimeout", "setInterval", "setImmediate", "performance", "hrtime"] });
    const { setTimeout: faked } = timers;
    timers.setTimeout = fake;
    try {
      // Patched only now, when the fakes are in place.
      const scope = faultScope(slow(30));
      const began = nowMs();
      await scope.run(() => lookup("localhost"));
      expect(nowMs() - began).toBeGreaterThanOrEqual(30);
      expect(timers.setTimeout).toBe(fake);
      expect((await import("node:timers")).setTimeout).toBe(real);
    } finally {
      timers.setTimeout = faked;
      vi.useRealTimers();
      install();
    }
  });
});

describe("a lookup that a test has mocked", () => {
  it("is left to the mock, which is not called more often for it, and is Node's own again when it is restored", async () => {
    uninstall();
    await using peer = await serve((socket) => socket.end());
    const mock = vi.spyOn(dns, "lookup").mockImplementation(((_name: string, _options: unknown, done: Done) => {
      done(null, [{ address: "127.0.0.1", family: 4 }]);
    }) as never);
    await withFaults(nxdomain, async () => {
      const socket = net.connect({ port: peer.port, host: "mocked.test" });
      await once(socket, "connect");
      socket.destroy();
    });
    expect(mock).toHaveBeenCalledTimes(1);
    mock.mockRestore();
    expect((await failureOf(withFaults(nxdomain, () => lookup("localhost")))).code).toBe("ENOTFOUND");
    expect((await failureOf(withFaults(nxdomain, () => promisify(dns.lookup)("localhost")))).code).toBe("ENOTFOUND");
  });
});

describe("skip and times", () => {
  it("count lookups by themselves: the second one fails, and then the names are back", async () => {
    const scope = faultScope({ ...nxdomain, skip: 1, times: 1 });
    const outcomes = await scope.run(async () => {
      const seen: string[] = [];
      for (let n = 0; n < 3; n++) seen.push(await lookup("localhost").then(String, (error: NodeJS.ErrnoException) => String(error.code)));
      return seen;
    });
    expect(outcomes.map((outcome) => outcome === "ENOTFOUND")).toEqual([false, true, false]);
    expect(scope.report().flows.map(({ governed, skipped }) => [governed, skipped])).toEqual([
      [false, 1],
      [true, 0],
      [false, 1],
    ]);
  });
});

describe("every way to a lookup", () => {
  it("is reached, also functions that were taken out of the module before, and named imports", async () => {
    const lines = jsonLines<[string, NodeJS.ErrnoException, boolean]>(await node([fixture("lookups")]));
    const restored = lines.pop();
    expect(restored).toEqual(["restored", true]);
    expect(lines).toHaveLength(2 * 19);
    for (const [index, [way, error, injected]] of lines.entries()) {
      const isQuery = error.syscall !== "getaddrinfo";
      const code = index < 19 ? "ENOTFOUND" : isQuery ? "ETIMEOUT" : "EAI_AGAIN";
      expect([way, error.code, injected]).toEqual([way, code, true]);
      expect(error.message).toBe(`${error.syscall} ${code} no-such-name.test`);
    }
  });
});
