import dns from "node:dns";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import net from "node:net";
import { getSystemErrorMap, promisify } from "node:util";
import { faultScope, install, isInjected, reset, uninstall, withFaults } from "faultcore";
import type { PolicyFields } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { dnsServer } from "../helpers/dns-server.ts";
import { errorShape } from "../helpers/error-shape.ts";
import { failureOf, timed } from "../helpers/measure.ts";
import { serve } from "../helpers/peers.ts";

const lookup = promisify(dns.lookup);
const nxdomain: PolicyFields = { dns: { nxdomain: "100%" } };
const hangs = (ms: number): PolicyFields => ({ dns: { timeout: `${ms}ms` } });
const slow = (ms: number): PolicyFields => ({ dns: { delay: `${ms}ms` } });

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
      expect(errorShape(injected)).toEqual(errorShape(real));
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
      expect(errorShape(injected), `record ${type}`).toEqual(errorShape(real));
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
      expect(errorShape(value)).toEqual(errorShape(real));
    }
  });

  it("is not the connect timeout's business: the lookup may take longer", async () => {
    await using peer = await serve((socket) => socket.end());
    const socket = await withFaults({ ...slow(700), timeout: { connect: "600ms" } }, async () => {
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
      expect(ms, `by ${way}`).toBeGreaterThanOrEqual(30);
      expect(value, `by ${way}`).toEqual(expected);
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
    await scope.run(() => new Promise((resolve) => dns.lookup("localhost", () => resolve(lookup("localhost")))));
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

/** Callbacks as promises. */
function promised(resolver: dns.Resolver): { setServers(servers: string[]): void; resolve4(name: string): Promise<string[]> } {
  return {
    setServers: (servers) => resolver.setServers(servers),
    resolve4: promisify((name: string, done: (error: Error | null, found: string[]) => void) => resolver.resolve4(name, done)),
  };
}
