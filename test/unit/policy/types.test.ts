import { describe, expectTypeOf, it } from "vitest";
import type { PolicyFields, Read, PolicyOf, CorrelatedLossFields } from "../../../src/policy/fields.ts";

describe("the types of policies", () => {
  it("take both spellings, at any depth", () => {
    const camel = {
      packetLoss: "1%",
      burstLoss: 3,
      sessionBudget: { maxTx: "1mb", action: "timeout", budgetTimeout: "2s" },
    } satisfies PolicyFields;
    const snake = {
      packet_loss: "1%",
      uplink: { burst_loss: "3" },
      payload_mutation: { swap_pos1: 1, type: "none" },
    } satisfies PolicyFields;
    const loss: CorrelatedLossFields = { p_good_to_bad: "1%", pBadToGood: "1%", loss_good: "0%", lossBad: "1%" };
    const list = ["tcp://10.0.0.1", { hostname: "*.example" }] as const;
    expectTypeOf({
      ...camel,
      ...snake,
      correlatedLoss: loss,
      targets: list,
      schedule: { kind: "ramp", ramp: "1s" } as const,
    }).toExtend<PolicyFields>();
    expectTypeOf({ latency: undefined, seed: 2n ** 64n }).toExtend<PolicyFields>();
  });

  it("refuse what is no field, no kind, or lacks a unit", () => {
    // @ts-expect-error -- misspelt
    const misspelt: PolicyFields = { latncy: "50ms" };
    // @ts-expect-error -- misspelt, within a group
    const nested: PolicyFields = { timeout: { conect: "5s" } };
    // @ts-expect-error -- no unit
    const number: PolicyFields = { latency: 50 };
    // @ts-expect-error -- not a kind
    const kind: PolicyFields = { connectionError: { kind: "explode" } };
    // @ts-expect-error -- a field of another kind
    const other: PolicyFields = { schedule: { kind: "ramp", ramp: "1s", every: "1s" } };
    expectTypeOf([misspelt, nested, number, kind, other]).toExtend<PolicyFields[]>();
  });

  it("are numbers after reading", () => {
    expectTypeOf<PolicyOf<Read>["latency"]>().toEqualTypeOf<number | undefined>();
    expectTypeOf<PolicyOf<Read>["seed"]>().toEqualTypeOf<bigint | undefined>();
  });
});
