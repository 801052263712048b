import dns from "node:dns";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import net from "node:net";
import timers from "node:timers";
import { getSystemErrorMap, promisify } from "node:util";
import { activate, faultScope, install, isInjected, reset, uninstall, withFaults, withoutFaults } from "faultcore";
import type { PolicyFields } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { dnsServer } from "../helpers/dns-server.ts";
import { failureOf, nowMs, timed } from "../helpers/measure.ts";
import { serve } from "../helpers/peers.ts";
import { fixture, jsonLines, node } from "../helpers/programs.ts";

const lookup = promisify(dns.lookup);
const nxdomain: PolicyFields = { dns: { nxdomain: "100%" } };
const hangs = (ms: number): PolicyFields => ({ dns: { timeout: `${ms}ms` } });
const slow = (ms: number): PolicyFields => ({ dns: { delay: `${ms}ms` } });
const direct = new dns.Resolver();

/** Everything about an error but where it was made and what it is about. */
function shapeOf(error: NodeJS.ErrnoException & { hostname?: string }): unknown {
  const { message, hostname = "" } = error;
  const fields = Object.entries({ ...error, hostname: undefined });
  return {
    prototype: Object.getPrototypeOf(error),
    name: error.name,
    fields,
    own: Object.getOwnPropertyNames(error),
    message: message.replace(hostname, "NAME"),
  };
}

beforeAll(() => install());
afterEach(() => reset());
afterAll(() => uninstall());

describe("nxdomain", () => {
  // The system's resolver refuses this name by itself: a label has 63 bytes at most.
  const impossible = `${"a".repeat(64)}.test`;

  it("of dns.lookup is the error that Node itself raises, in every field, with callbacks and with promises", async () => {
    const ways = [lookup, (name: string) => dns.promises.lookup(name), (name: string) => dns.promises.lookup(name, { all: true })];
    for (const look of ways) {
      const real = await failureOf(look(impossible));
      const injected = await failureOf(withFaults(nxdomain, () => look("localhost")));
      expect(injected).toMatchObject({
        code: "ENOTFOUND",
        errno: -3008,
        syscall: "getaddrinfo",
        hostname: "localhost",
        message: "getaddrinfo ENOTFOUND localhost",
      });
      expect(shapeOf(injected)).toEqual(shapeOf(real));
      expect([isInjected(injected), isInjected(real)]).toEqual([true, false]);
    }
  });

  it("of resolvers is what a server's answer makes, for every kind of record", async () => {
    await using server = await dnsServer({ "known.test": ["127.0.0.1"] });
    const resolver = new dns.promises.Resolver();
    resolver.setServers([server.address]);
    for (const type of ["A", "AAAA", "ANY", "CAA", "CNAME", "MX", "NAPTR", "NS", "PTR", "SOA", "SRV", "TXT"]) {
      const real = await failureOf(resolver.resolve("unknown.test", type));
      const asked = server.asked.length;
      const injected = await failureOf(withFaults(nxdomain, () => resolver.resolve("known.test", type)));
      expect(shapeOf(injected), type).toEqual(shapeOf(real));
      expect(injected).toMatchObject({ code: "ENOTFOUND", hostname: "known.test", errno: undefined });
      expect(isInjected(injected)).toBe(true);
      // A lookup that fails is not made.
      expect(server.asked).toHaveLength(asked);
    }
  });

  it("fails the connect whose name it is, with the lookup event that Node emits", async () => {
    const scope = faultScope(nxdomain);
    await scope.run(async () => {
      const socket = net.connect({ port: 1, host: "localhost" });
      const heard = once(socket, "lookup");
      const error = await failureOf(once(socket, "connect"));
      expect(error).toMatchObject({ code: "ENOTFOUND", syscall: "getaddrinfo", hostname: "localhost" });
      expect(isInjected(error)).toBe(true);
      expect((await heard)[0]).toBe(error);
    });
    expect(scope.report()).toMatchObject({
      injected: 1,
      flows: [{ target: "localhost", hostname: "localhost", governed: true, address: "", port: 0, guessed: false }],
      faults: { dns: { count: 1, codes: { ENOTFOUND: 1 } } },
    });
    expect(scope.events()[0]).toMatchObject({ target: "localhost", position: "lookup", decision: "ENOTFOUND", code: "ENOTFOUND" });
  });

  it("is known behind the cause of a failed fetch, and to a datagram's sender", async () => {
    const failed = await failureOf(withFaults(nxdomain, () => fetch("http://localhost:8080/")));
    expect(isInjected(failed)).toBe(true);
    const socket = createSocket("udp4");
    const send = promisify((host: string, done: (error: Error | null) => void) => socket.send("x", 9, host, done));
    const error = await failureOf(withFaults(nxdomain, () => send("localhost")));
    expect(error).toMatchObject({ code: "ENOTFOUND", hostname: "localhost" });
    expect(isInjected(error)).toBe(true);
    socket.close();
  });

  it("has the same fates in each run, of which the probability says how many", async () => {
    const fates = async (): Promise<string> => {
      reset();
      const scope = faultScope({ dns: { nxdomain: "50%" }, seed: 5 });
      let text = "";
      await scope.run(async () => {
        for (let n = 0; n < 60; n++) {
          text += await lookup("localhost").then(
            () => ".",
            () => "x",
          );
        }
      });
      expect(scope.report().flows.map(({ flow }) => flow)).toEqual(Array.from({ length: 60 }, (_, n) => n));
      return text;
    };
    const first = await fates();
    // 60 draws of one half: fewer than 8 or more than 52 come once in 10^9, and the seed is fixed.
    expect(first.replaceAll(".", "").length).toBeGreaterThan(8);
    expect(first.replaceAll("x", "").length).toBeGreaterThan(8);
    expect(await fates()).toBe(first);
  });
});

describe("timeout", () => {
  it("hangs that long and not less, and fails as Node says of EAI_AGAIN", async () => {
    const notFound = await failureOf(lookup(`${"a".repeat(64)}.test`));
    const { ms, value } = await timed(() => failureOf(withFaults(hangs(40), () => lookup("localhost"))));
    expect(ms).toBeGreaterThanOrEqual(40);
    expect(getSystemErrorMap().get(value.errno!)?.[0]).toBe("EAI_AGAIN");
    expect(value).toMatchObject({ code: "EAI_AGAIN", syscall: "getaddrinfo", message: "getaddrinfo EAI_AGAIN localhost" });
    expect(Object.getOwnPropertyNames(value)).toEqual(Object.getOwnPropertyNames(notFound));
    expect(Object.getPrototypeOf(value)).toBe(Object.getPrototypeOf(notFound));
  });

  it("of a resolver is the error of a server that never answers", async () => {
    await using silent = await dnsServer("silent");
    const options = { timeout: 20, tries: 1 };
    for (const resolver of [new dns.promises.Resolver(options), promised(new dns.Resolver(options))]) {
      resolver.setServers([silent.address]);
      const real = await failureOf(resolver.resolve4("name.test"));
      const { ms, value } = await timed(() => failureOf(withFaults(hangs(40), () => resolver.resolve4("name.test"))));
      expect(ms).toBeGreaterThanOrEqual(40);
      expect(value).toMatchObject({ code: "ETIMEOUT", syscall: "queryA", hostname: "name.test" });
      expect(shapeOf(value)).toEqual(shapeOf(real));
    }
  });

  it("is not the connect timeout's business: the lookup may take longer", async () => {
    await using peer = await serve((socket) => socket.end());
    const socket = await withFaults({ ...slow(60), timeout: { connect: "30ms" } }, async () => {
      const connecting = net.connect({ port: peer.port, host: "localhost", family: 4 });
      await once(connecting, "connect");
      return connecting;
    });
    socket.destroy();
  });
});

describe("delay", () => {
  it("comes on top of the lookup's own time, in every way to look up", async () => {
    await using server = await dnsServer({ "known.test": ["127.0.0.1", "::1"] });
    const resolver = new dns.promises.Resolver();
    resolver.setServers([server.address]);
    const ways: Record<string, () => Promise<unknown>> = {
      lookup: () => lookup("localhost", 4),
      "lookup, all": () => lookup("localhost", { all: true, family: 4 }),
      "promises.lookup": () => dns.promises.lookup("localhost", { family: 4 }),
      resolve4: () => resolver.resolve4("known.test"),
      "resolve4, ttl": () => resolver.resolve4("known.test", { ttl: true }),
      resolveAny: () => resolver.resolveAny("known.test"),
    };
    for (const [way, look] of Object.entries(ways)) {
      const expected = await look();
      const { ms, value } = await timed(() => withFaults(slow(30), look));
      expect(ms, way).toBeGreaterThanOrEqual(30);
      expect(value, way).toEqual(expected);
    }
    // An answer that is a failure is kept as long, and is nobody's fault.
    const { ms, value } = await timed(() => failureOf(withFaults(slow(30), () => resolver.resolve4("unknown.test"))));
    expect(ms).toBeGreaterThanOrEqual(30);
    expect(isInjected(value)).toBe(false);
  });

  it("waits in parallel for lookups that are made at once", async () => {
    const { ms } = await timed(() => withFaults(slow(60), () => Promise.all(Array.from({ length: 50 }, () => lookup("localhost")))));
    expect(ms).toBeGreaterThanOrEqual(60);
    expect(ms).toBeLessThan(50 * 60);
  });

  it("runs the callback in the async context of the caller", async () => {
    const scope = faultScope(slow(5));
    await scope.run(() => new Promise<void>((resolve) => dns.lookup("localhost", () => resolve(lookup("localhost").then(() => {})))));
    expect(scope.report().flows).toHaveLength(2);
  });

  it("does not let what one callback throws keep the others waiting", async () => {
    const caught: unknown[] = [];
    const before = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    process.on("uncaughtException", (error) => caught.push(error));
    try {
      await withFaults(slow(10), async () => {
        const others = [lookup("localhost"), lookup("localhost")];
        dns.lookup("localhost", () => {
          throw new Error("the program's own");
        });
        await Promise.all([...others, lookup("localhost")]);
        await lookup("localhost");
      });
    } finally {
      process.removeAllListeners("uncaughtException");
      for (const listener of before) process.on("uncaughtException", listener);
    }
    expect(caught).toEqual([expect.objectContaining({ message: "the program's own" })]);
  });
});

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
      void scope.run(() => void (answer = lookup("localhost")));
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
    const expected = shapeOf(await cancelled);
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
        expect(shapeOf(error)).toEqual(expected);
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

/** Callbacks as promises. */
function promised(resolver: dns.Resolver): { setServers(servers: string[]): void; resolve4(name: string): Promise<string[]> } {
  return {
    setServers: (servers) => resolver.setServers(servers),
    resolve4: promisify((name: string, done: (error: Error | null, found: string[]) => void) => resolver.resolve4(name, done)),
  };
}
