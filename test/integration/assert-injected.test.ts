import { faultScope, FaultcoreError, install, reset, uninstall } from "faultcore";
import type { FaultScope } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { askOnce } from "../helpers/ask.ts";
import { echo } from "../helpers/peers.ts";

beforeAll(() => install());
afterEach(() => reset());
afterAll(() => uninstall());

function complaint(scope: FaultScope, fault?: string): FaultcoreError {
  try {
    scope.assertInjected(fault);
  } catch (error) {
    if (error instanceof FaultcoreError) return error;
    throw error;
  }
  throw new Error("it did not complain");
}

describe("assertInjected()", () => {
  it("is content where something was injected, inside the scope and behind it", async () => {
    await using peer = await echo();
    const scope = faultScope({ latency: "5ms" });
    await scope.run(async () => {
      await askOnce(peer.port);
      scope.assertInjected();
    });
    scope.assertInjected();
    scope.assertInjected("latency");
  });

  it("complains about a fault that did not act, and tells one that the policy does not have", async () => {
    await using peer = await echo();
    const scope = faultScope({ latency: "5ms", connectionError: { kind: "refused", prob: "0.0001%" } });
    await scope.run(() => askOnce(peer.port));
    expect(complaint(scope, "connection_error")).toMatchObject({ code: "ERR_FAULTCORE_NOTHING_INJECTED", policy: scope.report().policy });
    expect(complaint(scope, "half_open").message).toContain("does not have this fault");
  });

  it("says which rules matched nothing", async () => {
    await using peer = await echo();
    const scope = faultScope({ latency: "5ms", targets: ["10.0.0.0/8"] });
    await scope.run(() => askOnce(peer.port));
    expect(complaint(scope).message).toMatch(/0 of its 1 flows.*10\.0\.0\.0\/8/);
  });

  it("says that nothing was run, or that nothing was connected", () => {
    const scope = faultScope({ latency: "5ms" });
    expect(complaint(scope).message).toContain("has not been run");
    scope.run(() => {});
    expect(complaint(scope).message).toContain("no connection");
  });
});
