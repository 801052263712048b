import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parsePolicy } from "../../../src/policy/parse.ts";
import { judgeTargets } from "../../../src/policy/targets.ts";
import type { TargetRule, TargetSubject } from "../../../src/policy/types.ts";
import { caught } from "./caught.ts";

function rules(...targets: unknown[]): readonly TargetRule[] {
  return parsePolicy({ latency: "1ms", targets }).fields.targets!;
}

const subject = (fields: Partial<TargetSubject> = {}): TargetSubject => ({ protocol: "tcp", address: "10.0.0.1", port: 443, ...fields });
const decides = (targets: unknown[], fields?: Partial<TargetSubject>): number => judgeTargets(rules(...targets), subject(fields)).rule;

const toNumber = (bytes: readonly number[]): number => bytes.reduce((sum, byte) => sum * 256 + byte, 0);
const bits = (parts: readonly number[]): string => parts.map((part) => part.toString(2).padStart(16, "0")).join("");
const colons = (parts: readonly number[]): string => parts.map((part) => part.toString(16)).join(":");

describe("reading rules", () => {
  it.each([
    ["10.0.0.1", { host: "10.0.0.1" }],
    ["any://10.0.0.1", { host: "10.0.0.1", protocol: "any" }],
    ["TCP://10.0.0.1:443", { host: "10.0.0.1", protocol: "tcp", port: 443 }],
    [" udp://[::1]:53 ", { host: "::1", protocol: "udp", port: "53" }],
    ["[2001:db8::]/32", { cidr: "2001:db8::/32" }],
    ["10.1.2.3/8:80-81", { cidr: "10.0.0.0/8", port: "80-81" }],
    ["*.Example.COM.:443", { hostname: "*.example.com", port: "443" }],
    ["[fe80::1%eth0]", { host: "fe80::1" }],
    ["[::ffff:10.0.0.1]", { host: "10.0.0.1" }],
    ["Täst.example", { hostname: "xn--tst-qla.example" }],
  ])("reads %j as %j", (text, mapping) => {
    expect(rules(text)).toEqual(rules(mapping));
  });

  it("treats a text and its `target` alike", () => {
    expect(rules({ target: "tcp://10.0.0.0/8:443", priority: "10", exclude: true }, "a")[0]).toEqual({
      ...rules("tcp://10.0.0.0/8:443")[0],
      priority: 10,
      exclude: true,
    });
  });

  it.each([
    "",
    "tcp://",
    "ftp://10.0.0.1",
    "tcp:10.0.0.1:80:90",
    "10.0.0.1:",
    "10.0.0.1:0",
    "10.0.0.1:65536",
    "10.0.0.1:80,",
    "10.0.0.0/33",
    "10.0.0.0/x",
    "[::1]/129",
    "[::1",
    "::1]",
    "::1",
    "2001:db8::/32",
    "[10.0.0.1]",
    "[a.example]",
    "a.example/8",
    "256.0.0.1",
    "10.0.1",
    "1.2.3.4.5",
    "0x7f.1",
    "a.0x10",
    "a..b",
    ".a",
    "-",
    "a b",
    "a_b c",
    "*",
    "*.",
    "*a.b",
    "a.*.b",
    "a.*",
    "a@b",
    "a%41",
    "a/b",
    "[::1]x",
    "１.２.３.４",
    `${"a".repeat(64)}.b`,
    `${"a.".repeat(127)}a`,
    "\u0000",
    "a\n.b",
    "a-.b",
    "-a",
  ])("refuses %j", (text) => {
    expect(caught(() => rules(text)).path).toBe("targets[0]");
  });

  it.each([
    "a",
    "localhost",
    "my_service",
    "_srv._tcp.example",
    "a-b.example",
    `${"a".repeat(63)}.b`,
    "3com.example",
    "xn--tst-qla.example",
  ])("takes %j for a host name", (hostname) => {
    expect(rules({ hostname })[0]?.hostname).toBe(hostname);
  });

  it.each([
    [{ host: "localhost" }, "targets[0].host", "for a name use hostname"],
    [{ hostname: "10.0.0.1" }, "targets[0].hostname", "use host"],
    [{ hostname: "[::1]" }, "targets[0].hostname", "is not a host name"],
    [{ cidr: "10.0.0.1" }, "targets[0].cidr", "for one address use host"],
    [{ cidr: "10.0.0.0/33" }, "targets[0].cidr", "is not a network"],
    [{ host: "10.0.0.1", port: "80-" }, "targets[0].port", "is not a port"],
    [{ host: "10.0.0.1", port: 1.5 }, "targets[0].port", "is not a port"],
    [{ host: "10.0.0.1", port: -1 }, "targets[0].port", "is not a port"],
    [{ host: "10.0.0.1", port: true }, "targets[0].port", "got true"],
    [{ host: "10.0.0.1", protocol: "sctp" }, "targets[0].protocol", "one of any, tcp, udp"],
    [{ host: "10.0.0.1", priority: -1 }, "targets[0].priority", "out of range"],
    [{ host: "10.0.0.1", exclude: "yes" }, "targets[0].exclude", "true or false"],
    [{ target: "10.0.0.1", port: 80 }, "targets[0]", "beside target"],
    [{ target: "10.0.0.0/33" }, "targets[0].target", "has no valid network"],
    [{ sni: "*.*.a" }, "targets[0].sni", "a wildcard is a leading"],
    [{}, "targets[0]", "says not which flows it means"],
    [[], "targets[0]", "got a list"],
    [null, "targets[0]", "got null"],
    [7, "targets[0]", "got the number 7"],
    [{ hots: "10.0.0.1" }, "targets[0].hots", "Did you mean host?"],
  ])("refuses %j at %s", (rule, path, message) => {
    const error = caught(() => rules(rule));
    expect(error.path).toBe(path);
    expect(error.message).toContain(message);
  });

  it("merges and sorts the ports of a list", () => {
    expect(rules({ host: "::1", port: "443, 80-90 ,85-100,101" })[0]?.ports).toEqual([
      [80, 101],
      [443, 443],
    ]);
  });
});

describe("matching", () => {
  it.each<[unknown, Partial<TargetSubject>, boolean]>([
    ["10.0.0.1", {}, true],
    ["10.0.0.1", { address: "::ffff:10.0.0.1" }, true],
    ["10.0.0.1", { address: "::ffff:a00:1" }, true],
    ["[::ffff:10.0.0.1]", {}, true],
    ["[::ffff:10.0.0.0]/104", {}, true],
    ["[::ffff:10.0.0.0]/104", { address: "11.0.0.1" }, false],
    ["0.0.0.0/0", {}, true],
    ["0.0.0.0/0", { address: "::1" }, false],
    ["[::]/0", { address: "::1" }, true],
    ["[::]/0", {}, false],
    ["[fe80::1%eth0]", { address: "fe80::1%eth1" }, true],
    ["tcp://10.0.0.1", { protocol: "udp" }, false],
    ["any://10.0.0.1", { protocol: "udp" }, true],
    ["10.0.0.1:80-443", {}, true],
    ["10.0.0.1:80,442", {}, false],
    ["a.example", { hostname: "A.Example." }, true],
    ["a.example", {}, false],
    ["a.example", { hostname: "b.a.example" }, false],
    ["täst.example", { hostname: "TÄST.example" }, true],
    ["täst.example", { hostname: "xn--tst-qla.example" }, true],
    ["*.example", { hostname: "a.b.example" }, true],
    ["*.example", { hostname: "example" }, false],
    ["*.example", { hostname: "badexample" }, false],
    ["*.example", { sni: "a.example" }, false],
    [{ sni: "*.example" }, { sni: "a.example" }, true],
    [{ sni: "a.example" }, { hostname: "a.example" }, false],
    ["10.0.0.1", { address: "not an address" }, false],
    ["a.example", { hostname: "10.0.0.1" }, false],
  ])("%j judges %j: %s", (rule, fields, governs) => {
    expect(judgeTargets(rules(rule), subject(fields))).toEqual({ governs, rule: governs ? 0 : -1 });
  });

  it("governs every flow without rules", () => {
    expect(judgeTargets(undefined, subject())).toEqual({ governs: true, rule: -1 });
  });
});

describe("which rule decides", () => {
  const known = { hostname: "a.b.example", sni: "a.b.example" };
  it.each<[string, unknown[], number]>([
    ["the higher priority over the more specific", [{ host: "10.0.0.1", priority: 99 }, "10.0.0.0/8"], 1],
    ["an exact name over a wildcard", ["*.b.example", "a.b.example"], 1],
    ["a wildcard over an address", ["10.0.0.1", "*.example"], 1],
    ["the longer of two wildcards", ["*.example", "*.b.example"], 1],
    ["the longer prefix", ["10.0.0.0/8", "10.0.0.0/24", "10.0.0.0/16"], 1],
    ["an IPv4 prefix counted as what it is mapped to", ["[::ffff:0:0]/96", "10.0.0.0/8"], 1],
    ["a port over none", ["10.0.0.1", "10.0.0.1:443"], 1],
    ["a protocol over any", ["10.0.0.1", "tcp://10.0.0.1"], 1],
    ["a port over a protocol", ["tcp://10.0.0.1", "10.0.0.1:443"], 1],
    ["a longer prefix over a port", ["10.0.0.0/8:443", "10.0.0.0/9"], 1],
    ["the first of equals", ["10.0.0.1:443", "10.0.0.1:400-500"], 0],
    ["the first of a hostname and an sni", [{ sni: "a.b.example" }, "a.b.example"], 0],
  ])("%s", (_, targets, rule) => {
    expect(decides(targets, known)).toBe(rule);
  });

  it("leaves a flow alone that an exclusion decides", () => {
    const targets = [
      { cidr: "10.0.0.0/8", priority: 10 },
      { host: "10.0.0.1", exclude: true },
    ];
    expect(judgeTargets(rules(...targets), subject())).toEqual({ governs: false, rule: 1 });
    expect(judgeTargets(rules(...targets), subject({ address: "10.0.0.2" }))).toEqual({ governs: true, rule: 0 });
  });
});

describe("properties of judging", () => {
  const octets = fc.tuple(...Array.from({ length: 4 }, () => fc.nat({ max: 3 })));
  const ipv4 = octets.map((bytes) => bytes.join("."));
  const groups = fc.tuple(...Array.from({ length: 8 }, () => fc.constantFrom(0, 1, 0x8000, 0xffff)));
  const rule = fc.record({
    cidr: fc.tuple(ipv4, fc.nat({ max: 32 })).map(([address, prefix]) => `${address}/${prefix}`),
    priority: fc.nat({ max: 3 }),
    exclude: fc.boolean(),
    protocol: fc.constantFrom("any", "tcp", "udp"),
  });

  it("agrees about IPv4 prefixes with whole-number arithmetic", () => {
    fc.assert(
      fc.property(octets, octets, fc.nat({ max: 32 }), (network, address, prefix) => {
        const size = 2 ** (32 - prefix);
        const expected = Math.floor(toNumber(network) / size) === Math.floor(toNumber(address) / size);
        expect(decides([`${network.join(".")}/${prefix}`], { address: address.join(".") }) === 0).toBe(expected);
      }),
    );
  });

  it("agrees about IPv6 prefixes with a comparison of bit strings", () => {
    const v6 = groups.filter((parts) => !colons(parts).startsWith("0:0:0:0:0:ffff"));
    fc.assert(
      fc.property(v6, v6, fc.nat({ max: 128 }), (network, address, prefix) => {
        const expected = bits(address).startsWith(bits(network).slice(0, prefix));
        expect(decides([`[${colons(network)}]/${prefix}`], { address: colons(address) }) === 0).toBe(expected);
      }),
    );
  });

  it("does not depend on the order of rules that do not tie", () => {
    const distinct = fc.uniqueArray(rule, {
      minLength: 2,
      maxLength: 6,
      selector: ({ priority, cidr, protocol }) => `${priority}${cidr.split("/")[1]}${protocol === "any"}`,
    });
    fc.assert(
      fc.property(distinct, ipv4, fc.infiniteStream(fc.nat()), (list, address, keys) => {
        fc.pre(list.some(({ exclude }) => !exclude));
        const shuffled = list
          .map((item) => ({ item, key: keys.next().value as number }))
          .toSorted((a, b) => a.key - b.key)
          .map(({ item }) => item);
        const first = judgeTargets(rules(...list), subject({ address }));
        const second = judgeTargets(rules(...shuffled), subject({ address }));
        expect(second.governs).toBe(first.governs);
        expect(shuffled[second.rule]).toEqual(list[first.rule]);
      }),
    );
  });

  it("never governs what an exclusion of the highest priority matches", () => {
    fc.assert(
      fc.property(fc.array(rule, { minLength: 1, maxLength: 5 }), ipv4, (list, address) => {
        const targets = [...list, { cidr: "0.0.0.0/0" }, { host: address, priority: 101, exclude: true }];
        expect(judgeTargets(rules(...targets), subject({ address })).governs).toBe(false);
      }),
    );
  });

  it("reads no text so slowly that it could be noticed", () => {
    for (const text of [
      "a.".repeat(2000),
      "[".repeat(4000),
      ":".repeat(4000),
      "1,".repeat(2000),
      `a:${"1-".repeat(2000)}`,
      "ü".repeat(1000),
    ]) {
      const start = performance.now();
      caught(() => rules(text, { hostname: text }, { host: "10.0.0.1", port: text }));
      expect(performance.now() - start).toBeLessThan(200);
    }
  });
});
