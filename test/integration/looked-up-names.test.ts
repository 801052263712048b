import dns from "node:dns";
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { promisify } from "node:util";
import { faultScope, install, reset, uninstall } from "faultcore";
import type { FaultScope, PolicyFields, ScopeReport } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { dnsServer } from "../helpers/dns-server.ts";
import type { DnsServer } from "../helpers/dns-server.ts";
import { failureOf } from "../helpers/measure.ts";
import { talk } from "../helpers/worker-peer.ts";

/** Each test uses names and addresses of its own: what is known of an address lasts as long as the process. */
const ZONE = {
  "one.test": ["127.0.1.1"],
  "two.test": ["127.0.1.2"],
  "first.test": ["127.0.1.3"],
  "second.test": ["127.0.1.3"],
  "third.test": ["127.0.1.3"],
  "pool.test": ["127.0.1.4"],
  "other.test": ["127.0.1.4"],
  "mapped.test": ["127.0.1.5"],
  [`${"a-label-that-is-long.".repeat(9)}test`]: ["127.0.1.6"],
};
const LONG = Object.keys(ZONE).at(-1)!;

let server: DnsServer;
let port = 0;
const echo = net.createServer((socket) => socket.on("error", () => {}).pipe(socket));
const resolver = new dns.promises.Resolver();

const addressOf = async (name: string): Promise<string> => (await resolver.resolve4(name))[0]!;
const refusing = (...targets: NonNullable<PolicyFields["targets"]>): FaultScope =>
  faultScope({ connectionError: { kind: "refused" }, targets });

/** Dials in a scope: whether it is faulted. */
async function isFaulted(scope: FaultScope, options: Partial<net.TcpNetConnectOpts>): Promise<boolean> {
  return scope.run(async () => {
    try {
      await (await talk({ port, ...options })).close();
      return false;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ECONNREFUSED") throw error;
      return true;
    }
  });
}

const lastFlow = (report: ScopeReport): ScopeReport["flows"][number] => report.flows.at(-1)!;

beforeAll(async () => {
  install({ steer: "always" });
  server = await dnsServer(ZONE);
  resolver.setServers([server.address]);
  echo.listen(0, "0.0.0.0");
  await once(echo, "listening");
  port = (echo.address() as net.AddressInfo).port;
});
afterEach(() => reset());
afterAll(async () => {
  uninstall();
  echo.close();
  await server[Symbol.asyncDispose]();
});

describe("a client that looks a name up and dials the address", () => {
  it("is matched by the name that it looked up, with any resolver", async () => {
    const scope = refusing("one.test");
    await scope.run(async () => {
      const address = await addressOf("one.test");
      expect((await failureOf(talk({ port, host: address }))).code).toBe("ECONNREFUSED");
    });
    expect(lastFlow(scope.report())).toMatchObject({
      // What it is called depends on what was asked for, not on what else is known.
      target: "127.0.1.1:#0",
      hostname: "one.test",
      guessed: false,
      governed: true,
      rule: { index: 0 },
    });
    const system = refusing("localhost");
    await system.run(async () => {
      const { address } = await promisify(dns.lookup)("localhost", 4);
      expect((await failureOf(talk({ port, host: address }))).code).toBe("ECONNREFUSED");
    });
    const promises = refusing("localhost");
    await promises.run(async () => {
      const [found] = await dns.promises.lookup("localhost", { all: true, family: 4 });
      expect((await failureOf(talk({ port, host: found!.address }))).code).toBe("ECONNREFUSED");
    });
  });

  it("is matched by a name that was looked up before the scope, which the report calls a guess", async () => {
    const address = await addressOf("two.test");
    const scope = refusing("*.test");
    expect(await isFaulted(scope, { host: address })).toBe(true);
    expect(lastFlow(scope.report())).toMatchObject({ hostname: "two.test", guessed: true });
  });

  it("whose names are longer than 32 bytes is matched too", async () => {
    expect(LONG.length).toBeGreaterThan(180);
    const address = await addressOf(LONG);
    expect(await isFaulted(refusing(LONG), { host: address })).toBe(true);
    expect(await isFaulted(refusing(`*.${LONG.split(".").slice(3).join(".")}`), { host: address })).toBe(true);
  });

  it("is matched at the IPv4-mapped form of the address", async (context) => {
    const address = await addressOf("mapped.test");
    const probe = await talk({ port, host: `::ffff:${address}` }).catch(() => undefined);
    if (probe === undefined) return context.skip("no IPv6 on this machine");
    await probe.close();
    expect(await isFaulted(refusing("mapped.test"), { host: `::ffff:${address}` })).toBe(true);
    expect(await isFaulted(refusing(address), { host: `::ffff:${address}` })).toBe(true);
  });
});

describe("names that share an address", () => {
  it("are told apart: what connect asked for, else what the scope looked up last, else a guess", async () => {
    const lookup: net.LookupFunction = (_name, options, done) => {
      if (options.all === true) done(null, [{ address: "127.0.1.3", family: 4 }]);
      else done(null, "127.0.1.3", 4);
    };
    const asked = refusing("first.test");
    await asked.run(async () => {
      await addressOf("second.test");
      expect((await failureOf(talk({ port, host: "first.test", lookup }))).code).toBe("ECONNREFUSED");
      await (await talk({ port, host: "127.0.1.3" })).close();
      await addressOf("first.test");
      expect((await failureOf(talk({ port, host: "127.0.1.3" }))).code).toBe("ECONNREFUSED");
    });
    expect(asked.report().flows.map(({ hostname, guessed, governed }) => [hostname, guessed, governed])).toEqual([
      ["first.test", false, true],
      ["second.test", false, false],
      ["first.test", false, true],
    ]);
    await addressOf("third.test");
    const guess = refusing("third.test");
    expect(await isFaulted(guess, { host: "127.0.1.3" })).toBe(true);
    expect(lastFlow(guess.report())).toMatchObject({ hostname: "third.test", guessed: true });
  });

  it("are told apart in scopes that run at the same time", async () => {
    const outcome = async (name: string): Promise<(string | boolean | null)[]> => {
      const scope = refusing("first.test");
      await scope.run(async () => {
        const address = await addressOf(name);
        // All have looked up before anybody dials.
        await gate.pass();
        await talk({ port, host: address }).then(
          (conversation) => conversation.close(),
          () => {},
        );
      });
      const { hostname, guessed, governed } = lastFlow(scope.report());
      return [hostname, guessed, governed];
    };
    const gate = barrier(3);
    expect(await Promise.all(["first.test", "second.test", "third.test"].map(outcome))).toEqual([
      ["first.test", false, true],
      ["second.test", false, false],
      ["third.test", false, false],
    ]);
  });
});

describe("a connection that lives on", () => {
  it("keeps its name, whatever is looked up meanwhile, and is found in later scopes by it", async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const web = http.createServer((_request, response) => response.end("ok"));
    web.listen(0, "0.0.0.0");
    await once(web, "listening");
    const webPort = (web.address() as net.AddressInfo).port;
    const get = async (): Promise<void> => {
      const [response] = (await once(http.get({ host: "127.0.1.4", port: webPort, agent }), "response")) as [http.IncomingMessage];
      response.resume();
      await once(response, "end");
    };
    await addressOf("pool.test");
    await get();
    await addressOf("other.test");
    const policy: PolicyFields = { latency: "5ms", targets: ["pool.test"] };
    for (let use = 0; use < 2; use++) {
      const scope = faultScope(policy);
      await scope.run(get);
      expect(scope.report().flows).toEqual([expect.objectContaining({ hostname: "pool.test", guessed: true, governed: true })]);
      expect(scope.report().injected).toBeGreaterThan(0);
    }
    // A new connection has the new name.
    agent.destroy();
    const fresh = faultScope(policy);
    await fresh.run(() => talk({ port, host: "127.0.1.4" }).then((conversation) => conversation.close()));
    expect(lastFlow(fresh.report())).toMatchObject({ hostname: "other.test", governed: false });
    web.close();
  });
});

describe("priority", () => {
  it("of rules that exclude decides among looked-up names and networks", async () => {
    const address = await addressOf("one.test");
    const targets = (priority: number): NonNullable<PolicyFields["targets"]> => [
      "127.0.0.0/8",
      { hostname: "one.test", exclude: true, priority },
    ];
    expect(await isFaulted(refusing(...targets(200)), { host: address })).toBe(false);
    expect(await isFaulted(refusing(...targets(50)), { host: address })).toBe(true);
  });
});

function barrier(parties: number): { pass(): Promise<void> } {
  let open!: () => void;
  const opened = new Promise<void>((resolve) => (open = resolve));
  let waiting = 0;
  return {
    pass: () => {
      if (++waiting === parties) open();
      return opened;
    },
  };
}
