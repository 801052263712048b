import { describe, expect, it } from "vitest";
import { compilePolicy } from "../../../src/policy/compile.ts";
import { HostNames } from "../../../src/runtime/host-names.ts";
import { ScopeRecord } from "../../../src/scope/record.ts";

let refs = 0;
const scope = (): ScopeRecord =>
  new ScopeRecord({ ref: ++refs, policy: compilePolicy({ latency: "1ms" }, "a"), fields: {}, ordinal: 0, seed: 0n });

describe("the name of an address", () => {
  it("is the one that the same scope looked it up by last", () => {
    const names = new HostNames();
    const here = scope();
    names.learn(here, "first.example", ["10.0.0.1"]);
    names.learn(here, "second.example", ["10.0.0.1", "10.0.0.2"]);
    names.learn(scope(), "other.example", ["10.0.0.1"]);
    expect(names.nameOf(here, "10.0.0.1")).toEqual({ hostname: "second.example", guessed: false });
    expect(names.nameOf(here, "10.0.0.2")).toEqual({ hostname: "second.example", guessed: false });
  });

  it("is a guess where somebody else looked it up, the latest of all", () => {
    const names = new HostNames();
    names.learn(scope(), "first.example", ["10.0.0.1"]);
    names.learn(undefined, "second.example", ["10.0.0.1"]);
    expect(names.nameOf(scope(), "10.0.0.1")).toEqual({ hostname: "second.example", guessed: true });
    expect(names.nameOf(undefined, "10.0.0.1")).toEqual({ hostname: "second.example", guessed: true });
    expect(names.nameOf(undefined, "10.0.0.9")).toBeUndefined();
  });

  it("does not depend on how the address is spelled", () => {
    const names = new HostNames();
    names.learn(undefined, "four.example", ["10.0.0.1"]);
    names.learn(undefined, "six.example", ["2001:db8::1"]);
    names.learn(undefined, "link.example", ["fe80::1"]);
    expect(names.nameOf(undefined, "::ffff:10.0.0.1")?.hostname).toBe("four.example");
    expect(names.nameOf(undefined, "2001:0DB8:0:0::1")?.hostname).toBe("six.example");
    expect(names.nameOf(undefined, "fe80::1%eth0")?.hostname).toBe("link.example");
  });

  it("is forgotten when 4096 other addresses were looked up since, and not before", () => {
    const names = new HostNames();
    const here = scope();
    const address = (n: number): string => `10.1.${n >> 8}.${n & 255}`;
    names.learn(here, "early.example", ["10.0.0.1"]);
    for (let n = 0; n < 4095; n++) names.learn(undefined, "many.example", [address(n)]);
    expect(names.nameOf(scope(), "10.0.0.1")?.hostname).toBe("early.example");
    names.learn(undefined, "many.example", [address(4095)]);
    expect(names.nameOf(scope(), "10.0.0.1")).toBeUndefined();
    // What others do is nothing to the scope that looked it up.
    expect(names.nameOf(here, "10.0.0.1")).toEqual({ hostname: "early.example", guessed: false });
    for (let n = 0; n < 1024; n++) names.learn(here, "many.example", [address(n)]);
    expect(names.nameOf(here, "10.0.0.1")).toBeUndefined();
  });
});
