import { once } from "node:events";
import type { LookupAddress } from "node:dns";
import net from "node:net";
import { faultScope, install, reset, uninstall } from "faultcore";
import type { PolicyFields, ScopeReport } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { failureOf } from "../helpers/measure.ts";
import { talk } from "../helpers/worker-peer.ts";

type Targets = NonNullable<PolicyFields["targets"]>;

let hasIpv6 = true;
/** One server on all of 127.0.0.0/8, one on ::1 where there is such a thing; both echo. */
let port = 0;
let port6 = 0;
const servers: net.Server[] = [];

async function listenOn(host: string): Promise<number> {
  const server = net.createServer((socket) => socket.on("error", () => {}).pipe(socket));
  server.listen(0, host);
  await once(server, "listening");
  servers.push(server);
  return (server.address() as net.AddressInfo).port;
}

const lookupOf =
  (...addresses: string[]): net.LookupFunction =>
  (_name, options, done) => {
    const found = addresses.map((address): LookupAddress => ({ address, family: net.isIPv6(address) ? 6 : 4 }));
    if (options.all === true) done(null, found);
    else done(null, found[0]!.address, found[0]!.family);
  };

interface Outcome {
  readonly faulted: boolean;
  readonly report: ScopeReport;
}

/** Whether a connect is faulted: those that a policy touches are refused. */
async function connect(targets: Targets | undefined, options: Partial<net.TcpNetConnectOpts>): Promise<Outcome> {
  const scope = faultScope({ connectionError: { kind: "refused" }, ...(targets && { targets }) });
  const attempt = scope.run(async () => {
    const conversation = await talk({ port, ...options });
    expect(await conversation.ask("x")).toBe("x");
    await conversation.close();
  });
  const faulted = await attempt.then(
    () => false,
    (error: NodeJS.ErrnoException) => {
      expect(error.code).toBe("ECONNREFUSED");
      return true;
    },
  );
  return { faulted, report: scope.report() };
}

const isFaulted = async (targets: Targets, options: Partial<net.TcpNetConnectOpts>): Promise<boolean> =>
  (await connect(targets, options)).faulted;

beforeAll(async () => {
  install();
  port = await listenOn("0.0.0.0");
  port6 = await listenOn("::1").catch(() => {
    hasIpv6 = false;
    return 0;
  });
});
afterEach(() => reset());
afterAll(async () => {
  uninstall();
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
});

describe("a policy without targets", () => {
  it("touches every flow", async () => {
    const { faulted, report } = await connect(undefined, { host: "127.0.0.1" });
    expect(faulted).toBe(true);
    expect(report.flows).toEqual([expect.objectContaining({ governed: true, rule: null, target: "127.0.0.1:#0" })]);
  });
});

describe("a rule by address", () => {
  it("host: touches this address, and leaves its neighbour alone", async () => {
    for (const targets of [["127.0.0.2"], [{ host: "127.0.0.2" }]] satisfies Targets[]) {
      expect(await isFaulted(targets, { host: "127.0.0.2" })).toBe(true);
      expect(await isFaulted(targets, { host: "127.0.0.1" })).toBe(false);
    }
  });

  it("host: an IPv4-mapped IPv6 address is the IPv4 address", async (context) => {
    if (!hasIpv6) return context.skip("no ::1 on this machine");
    expect(await isFaulted(["127.0.0.2"], { host: "::ffff:127.0.0.2" })).toBe(true);
    expect(await isFaulted([{ host: "::ffff:127.0.0.2" }], { host: "127.0.0.2" })).toBe(true);
    expect(await isFaulted(["127.0.0.2"], { host: "::ffff:127.0.0.1" })).toBe(false);
  });

  it("cidr: touches the network, and leaves the rest alone", async () => {
    for (const targets of [["127.0.0.2/31"], [{ cidr: "127.0.0.2/31" }]] satisfies Targets[]) {
      expect(await isFaulted(targets, { host: "127.0.0.2" })).toBe(true);
      expect(await isFaulted(targets, { host: "127.0.0.3" })).toBe(true);
      expect(await isFaulted(targets, { host: "127.0.0.1" })).toBe(false);
    }
  });

  it("IPv6: touches ::1 and not 127.0.0.1", async (context) => {
    if (!hasIpv6) return context.skip("no ::1 on this machine");
    for (const targets of [["[::1]"], [{ cidr: "::/64" }]] satisfies Targets[]) {
      expect(await isFaulted(targets, { host: "::1", port: port6 })).toBe(true);
      expect(await isFaulted(targets, { host: "127.0.0.1" })).toBe(false);
    }
  });
});

describe("a rule by name", () => {
  const at127 = { host: "api.example.test", lookup: lookupOf("127.0.0.1") };

  it("hostname: touches what the program asked for by this name, in any case, and not its address", async () => {
    for (const targets of [["api.example.test"], [{ hostname: "API.example.test" }]] satisfies Targets[]) {
      expect(await isFaulted(targets, at127)).toBe(true);
      expect(await isFaulted(targets, { ...at127, host: "other.example.test" })).toBe(false);
      expect(await isFaulted(targets, { host: "127.0.0.1" })).toBe(false);
    }
  });

  it("hostname: a wildcard stands for any depth, and not for the name itself", async () => {
    const targets: Targets = [{ hostname: "*.example.test" }];
    expect(await isFaulted(targets, at127)).toBe(true);
    expect(await isFaulted(targets, { ...at127, host: "a.b.example.test" })).toBe(true);
    expect(await isFaulted(targets, { ...at127, host: "example.test" })).toBe(false);
  });

  it("hostname: touches localhost, said or not", async () => {
    const options = { autoSelectFamily: false, lookup: lookupOf("127.0.0.1") };
    expect(await isFaulted(["localhost"], { ...options, host: "localhost" })).toBe(true);
    expect(await isFaulted(["localhost"], options)).toBe(true);
    expect(await isFaulted(["localhost"], { host: "127.0.0.1" })).toBe(false);
  });

  it("host: judges each address that is tried for a name", async () => {
    const options = { host: "two.test", autoSelectFamily: true, lookup: lookupOf("127.0.0.2", "127.0.0.3") };
    const { faulted, report } = await connect(["127.0.0.2"], options);
    expect(faulted).toBe(false);
    expect(report.injected).toBe(1);
    expect(await isFaulted(["127.0.0.2/31"], options)).toBe(true);
  });
});

describe("port and protocol", () => {
  it("port: a number, a text, a range and a list", async () => {
    for (const value of [port, String(port), `${port}-${port + 1}`, `1,${port}`]) {
      expect(await isFaulted([{ host: "127.0.0.1", port: value }], { host: "127.0.0.1" }), `port ${value}`).toBe(true);
    }
    expect(await isFaulted([`127.0.0.1:${port}`], { host: "127.0.0.1" })).toBe(true);
    for (const value of [port - 1, `${port + 1}-65535`]) {
      expect(await isFaulted([{ host: "127.0.0.1", port: value }], { host: "127.0.0.1" }), `port ${value}`).toBe(false);
    }
  });

  it("protocol: tcp and any touch a connection, and an exclusion of UDP does not", async () => {
    expect(await isFaulted(["tcp://127.0.0.1"], { host: "127.0.0.1" })).toBe(true);
    expect(await isFaulted([{ host: "127.0.0.1", protocol: "any" }], { host: "127.0.0.1" })).toBe(true);
    expect(await isFaulted(["127.0.0.1", { target: "udp://127.0.0.1", exclude: true, priority: 500 }], { host: "127.0.0.1" })).toBe(true);
  });
});

describe("several rules", () => {
  it("priority: the highest one that matches decides, wherever it stands", async () => {
    const low = { cidr: "127.0.0.0/8", priority: 10 };
    const high = { cidr: "127.0.0.0/8", priority: 20, exclude: true };
    for (const targets of [
      [low, high],
      [high, low],
    ]) {
      const { faulted, report } = await connect(targets, { host: "127.0.0.1" });
      expect(faulted).toBe(false);
      expect(report.flows[0]?.rule?.index).toBe(targets.indexOf(high));
      expect(report.unmatchedRules.map(({ index }) => index)).toEqual([targets.indexOf(low)]);
    }
  });

  it("exclude: takes one address out of a network, being the longer prefix", async () => {
    const targets: Targets = ["127.0.0.0/8", { host: "127.0.0.2", exclude: true }];
    expect(await isFaulted(targets, { host: "127.0.0.1" })).toBe(true);
    expect(await isFaulted(targets, { host: "127.0.0.2" })).toBe(false);
  });

  it("a name outranks a network, and a port outranks none", async () => {
    const named = { host: "db.test", lookup: lookupOf("127.0.0.1") };
    const byName: Targets = ["127.0.0.0/8", { hostname: "db.test", exclude: true }];
    expect(await isFaulted(byName, named)).toBe(false);
    expect(await isFaulted(byName, { host: "127.0.0.1" })).toBe(true);
    expect(await isFaulted(["127.0.0.1", { host: "127.0.0.1", port, exclude: true }], { host: "127.0.0.1" })).toBe(false);
  });

  it("of equals the first one decides", async () => {
    const { report } = await connect([{ host: "127.0.0.1" }, { host: "127.0.0.1", exclude: true }], { host: "127.0.0.1" });
    expect(report.flows[0]?.rule?.index).toBe(0);
  });
});

describe("a flow that no rule touches", () => {
  it("is left alone, and the report says so", async () => {
    const { faulted, report } = await connect(["10.0.0.0/8"], { host: "127.0.0.1" });
    expect(faulted).toBe(false);
    expect(report).toMatchObject({ injected: 0, unmatchedRules: [{ index: 0, text: "10.0.0.0/8" }], silentFaults: ["connection_error"] });
    expect(report.flows).toEqual([expect.objectContaining({ governed: false, rule: null })]);
  });

  it("still fails as the real network says", async () => {
    const closed = net.createServer().listen(0, "127.0.0.1");
    await once(closed, "listening");
    const nobody = (closed.address() as net.AddressInfo).port;
    await new Promise((resolve) => closed.close(resolve));
    const scope = faultScope({ latency: "1m", targets: ["10.0.0.0/8"] });
    expect(await failureOf(scope.run(() => talk({ port: nobody, host: "127.0.0.1" })))).toMatchObject({ code: "ECONNREFUSED" });
  });
});
