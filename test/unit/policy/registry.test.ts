import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { compilePolicy } from "../../../src/policy/compile.ts";
import type { PolicyFields } from "../../../src/policy/fields.ts";
import { PolicyRegistry } from "../../../src/policy/registry.ts";
import { caught } from "./caught.ts";

const directory = mkdtempSync(join(tmpdir(), "faultcore-registry-"));
afterAll(() => rmSync(directory, { recursive: true }));

function filled(): PolicyRegistry {
  const registry = new PolicyRegistry();
  registry.register("slow", { latency: "50ms" });
  registry.register("lossy", { packet_loss: "1%", seed: 2n ** 64n - 1n });
  return registry;
}

describe("a registry", () => {
  it("gives back what was registered, in its own spelling", () => {
    expect(filled().get("lossy")).toEqual({ packet_loss: "1%", seed: 2n ** 64n - 1n });
    expect(filled().get("other")).toBeUndefined();
  });

  it("keeps a copy, and gives copies", () => {
    const fields = { latency: "50ms", uplink: { latency: "1ms" }, targets: [{ host: "10.0.0.1" }] };
    const registry = new PolicyRegistry();
    registry.register("a", fields);
    fields.latency = "broken";
    fields.uplink.latency = "broken";
    fields.targets[0]!.host = "broken";
    const copy = registry.get("a") as typeof fields;
    copy.uplink.latency = "broken too";
    expect(registry.get("a")).toEqual({ latency: "50ms", uplink: { latency: "1ms" }, targets: [{ host: "10.0.0.1" }] });
    expect(registry.compiled("a")?.faults.uplink.latencyNs).toBe(1_000_000);
  });

  it("compiles under the name", () => {
    expect(filled().compiled("slow")).toMatchObject({ name: "slow", faults: { uplink: { latencyNs: 50_000_000 } } });
    expect(filled().compiled("other")).toBeUndefined();
  });

  it("replaces a policy of the same name, and leaves the old one to those who hold it", () => {
    const registry = filled();
    const before = registry.compiled("slow");
    registry.register("slow", { latency: "1ms" });
    expect(registry.compiled("slow")?.faults.uplink.latencyNs).toBe(1_000_000);
    expect(before?.faults.uplink.latencyNs).toBe(50_000_000);
    expect(registry.list()).toEqual(["lossy", "slow"]);
  });

  it("keeps the old policy where the new one is invalid", () => {
    const registry = filled();
    expect(caught(() => registry.register("slow", { latency: "1" })).policy).toBe("slow");
    expect(registry.get("slow")).toEqual({ latency: "50ms" });
  });

  it("lists by code unit, whatever the locale is", () => {
    const registry = new PolicyRegistry();
    for (const name of ["ä", "b", "B", "a", "Z", "10", "9", "__proto__"]) registry.register(name, {});
    expect(registry.list()).toEqual(["10", "9", "B", "Z", "__proto__", "a", "b", "ä"]);
  });

  it("says whether there was something to remove", () => {
    const registry = filled();
    expect([registry.unregister("slow"), registry.unregister("slow")]).toEqual([true, false]);
    expect(registry.list()).toEqual(["lossy"]);
    registry.clear();
    expect(registry.list()).toEqual([]);
  });

  it.each([[undefined], [null], [5], [{}], ["\t\n"], ["preset:3g"], ["$x"]])("refuses the name %j", (name) => {
    expect(caught(() => new PolicyRegistry().register(name as string, {})).code).toBe("ERR_FAULTCORE_INVALID_NAME");
  });

  it("keeps names exactly", () => {
    const registry = new PolicyRegistry();
    registry.register(" a ", {});
    expect(registry.get("a")).toBeUndefined();
    expect(registry.list()).toEqual([" a "]);
  });

  it("shares nothing with another registry", () => {
    filled();
    expect(new PolicyRegistry().list()).toEqual([]);
  });
});

describe("a snapshot", () => {
  it("carries all policies to another registry, as plain data", () => {
    const registry = filled();
    const other = new PolicyRegistry();
    other.register("gone", {});
    other.restore(structuredClone(registry.snapshot()));
    expect(other.list()).toEqual(["lossy", "slow"]);
    expect(other.get("lossy")).toEqual(registry.get("lossy"));
    expect(other.compiled("slow")).toEqual(registry.compiled("slow"));
  });

  it("carries the clocks of schedules, also those of inline policies, and no counts", () => {
    const registry = filled();
    const policies = [registry.compiled("slow")!, inline({ latency: "7ms" })];
    for (const [index, policy] of policies.entries()) registry.anchorNs(policy, 100 + index);
    registry.nextUse(policies[0]!, "flow");
    registry.nextOrdinal(policies[0]!);
    const other = new PolicyRegistry();
    other.restore(structuredClone(registry.snapshot()));
    expect(policies.map((policy) => other.anchorNs(policy, 999))).toEqual([100, 101]);
    expect([other.nextUse(policies[0]!, "flow"), other.nextOrdinal(policies[0]!)]).toEqual([0, 0]);
  });

  it("changes nothing where it is invalid", () => {
    const registry = filled();
    caught(() =>
      registry.restore({
        policies: [
          ["a", {}],
          ["b", { latency: "1" }],
        ],
        anchors: [],
      }),
    );
    expect(registry.list()).toEqual(["lossy", "slow"]);
  });
});

const inline = (fields: PolicyFields): ReturnType<typeof compilePolicy> => compilePolicy(fields, undefined);

describe("uses", () => {
  it("count from zero, each policy and each kind for itself, and anew once it is registered again or everything is cleared", () => {
    const registry = filled();
    const slow = registry.compiled("slow")!;
    const flow = (): number => registry.nextUse(slow, "flow");
    expect([flow(), flow(), registry.nextUse(slow, "lookup"), registry.nextUse(registry.compiled("lossy")!, "flow")]).toEqual([0, 1, 0, 0]);
    registry.register("slow", { latency: "1ms" });
    expect([flow(), flow()]).toEqual([0, 1]);
    registry.resetOrdinals();
    expect(flow()).toBe(0);
  });
});

describe("ordinals of applications", () => {
  it("count from zero, each policy for itself", () => {
    const registry = filled();
    const [slow, lossy] = [registry.compiled("slow")!, registry.compiled("lossy")!];
    expect([slow, slow, lossy, slow].map((policy) => registry.nextOrdinal(policy))).toEqual([0, 1, 0, 2]);
  });

  it("count inline policies by what they say, and apart where the seed differs", () => {
    const registry = new PolicyRegistry();
    const policies = [
      { latency: "50ms" },
      { latency: "0.05s" },
      { latency: "50ms", seed: 1 },
      { latency: "50ms", seed: 1n },
      { latency: "1ms" },
    ];
    expect(policies.map((fields) => registry.nextOrdinal(inline(fields)))).toEqual([0, 1, 0, 1, 0]);
  });

  it.each<[string, (registry: PolicyRegistry) => void]>([
    ["registering again", (registry) => registry.register("slow", { latency: "50ms" })],
    ["unregistering", (registry) => registry.unregister("slow")],
    ["clear()", (registry) => registry.clear()],
    ["resetOrdinals()", (registry) => registry.resetOrdinals()],
    ["restore()", (registry) => registry.restore(registry.snapshot())],
  ])("start again after %s", (_, act) => {
    const registry = filled();
    const slow = registry.compiled("slow")!;
    registry.nextOrdinal(slow);
    act(registry);
    expect(registry.nextOrdinal(slow)).toBe(0);
  });

  it("go on where another policy is registered", () => {
    const registry = filled();
    registry.nextOrdinal(registry.compiled("slow")!);
    registry.register("other", {});
    expect(registry.nextOrdinal(registry.compiled("slow")!)).toBe(1);
  });
});

describe("load", () => {
  it("registers all policies of a file and says how many", () => {
    const path = join(directory, "a.json");
    writeFileSync(path, '{"$schema": "x", "slow": {"latency": "1ms"}, "new": {}}');
    const registry = filled();
    registry.nextOrdinal(registry.compiled("slow")!);
    expect(registry.load(path)).toBe(2);
    expect(registry.list()).toEqual(["lossy", "new", "slow"]);
    expect(registry.get("slow")).toEqual({ latency: "1ms" });
    expect(registry.nextOrdinal(registry.compiled("slow")!)).toBe(0);
  });

  it("registers none where one is invalid", () => {
    const path = join(directory, "b.json");
    writeFileSync(path, '{"slow": {"latency": "1ms"}, "bad": {"latency": "1"}}');
    const registry = filled();
    expect(caught(() => registry.load(path))).toMatchObject({
      code: "ERR_FAULTCORE_POLICY_FILE",
      policy: "bad",
      path: "latency",
      file: path,
    });
    expect(registry.get("slow")).toEqual({ latency: "50ms" });
    expect(registry.list()).toEqual(["lossy", "slow"]);
  });
});
