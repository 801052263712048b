import { once } from "node:events";
import net from "node:net";
import { constants } from "node:os";
import {
  fault,
  getContextPolicy,
  getPolicy,
  isInjected,
  listPolicies,
  policyContext,
  registerPolicy,
  reset,
  setContextPolicy,
  unregisterPolicy,
} from "faultcore";
import type { PolicyFields } from "faultcore";
import { afterEach, describe, expect, it } from "vitest";
import { takeWarnings } from "../helpers/fail-on-warning.ts";
import { failureOf, figures, median, nowMs, timed } from "../helpers/measure.ts";
import { echo } from "../helpers/peers.ts";

const slowLink = {
  latency: "50ms",
  jitter: "10ms",
  packet_loss: "1%",
  burst_loss: "3",
  rate: "2mbps",
  timeout: { connect: "20ms", recv: "20ms" },
} satisfies PolicyFields;

/** Connects, and waits for an echo: then the peer has counted the connection. */
async function connect(port: number): Promise<void> {
  const socket = net.connect({ port, host: "127.0.0.1" });
  try {
    await once(socket, "connect");
    socket.write("x");
    await once(socket, "data");
  } finally {
    socket.destroy();
  }
}

/** A port that nobody listens on. */
async function closedPort(): Promise<number> {
  await using peer = await echo();
  return peer.port;
}

afterEach(() => reset());

describe("the registry", () => {
  it("registers, lists, gives back as written, and removes a policy", () => {
    registerPolicy("slow_link", slowLink);
    registerPolicy("flaky", { connection_error: { kind: "reset", prob: "50%" } });
    expect(listPolicies()).toEqual(["flaky", "slow_link"]);
    expect(getPolicy("slow_link")).toEqual(slowLink);
    expect(unregisterPolicy("slow_link")).toBe(true);
    expect(unregisterPolicy("slow_link")).toBe(false);
    expect(getPolicy("slow_link")).toBeUndefined();
    expect(listPolicies()).toEqual(["flaky"]);
  });

  it("gives copies: what the caller does to them changes nothing", async () => {
    await using peer = await echo();
    const mine = structuredClone(slowLink);
    registerPolicy("slow_link", mine);
    mine.timeout.connect = "10s";
    (getPolicy("slow_link") as typeof slowLink).timeout.connect = "10s";
    expect(getPolicy("slow_link")).toEqual(slowLink);
    expect(await failureOf(fault("slow_link")(connect)(peer.port))).toMatchObject({ code: "ETIMEDOUT" });
  });
});

describe("fault(name)", () => {
  it("fails every connect of slow_link with ETIMEDOUT after 20 ms and not before", async () => {
    await using peer = await echo();
    registerPolicy("slow_link", slowLink);
    const faulted = fault("slow_link")(connect);
    await failureOf(faulted(peer.port)); // starts the relay
    const times: number[] = [];
    for (let call = 0; call < 20; call++) {
      const began = nowMs();
      const error = await failureOf(faulted(peer.port));
      times.push(nowMs() - began);
      expect(error.code).toBe("ETIMEDOUT");
      expect(isInjected(error)).toBe(true);
    }
    console.log(`slow_link: connect fails after ${figures(times)} ms`);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(20);
    expect(median(times)).toBeLessThan(35);
    expect(peer.accepted()).toBe(0);
  });

  it("raises the error that Node itself raises, in every field", async () => {
    const port = await closedPort();
    const real = await failureOf(connect(port));
    registerPolicy("slow_link", slowLink);
    const injected = await failureOf(fault("slow_link")(connect)(port));
    expect(Object.getOwnPropertyNames(injected).toSorted()).toEqual(Object.getOwnPropertyNames(real).toSorted());
    expect(Object.keys(injected)).toEqual(Object.keys(real));
    expect({ ...injected }).toEqual({ ...real, errno: -constants.errno.ETIMEDOUT, code: "ETIMEDOUT" });
    expect(injected.message).toBe(real.message.replace("ECONNREFUSED", "ETIMEDOUT"));
    expect(injected.name).toBe(real.name);
    expect(injected.constructor).toBe(real.constructor);
    expect(injected.stack?.split("\n")[0]).toBe(`Error: connect ETIMEDOUT 127.0.0.1:${port}`);
    expect(isInjected(injected)).toBe(true);
    expect(isInjected(real)).toBe(false);
  });

  it("leaves the same function alone where it is called without it", async () => {
    await using peer = await echo();
    registerPolicy("slow_link", slowLink);
    await failureOf(fault("slow_link")(connect)(peer.port));
    await connect(peer.port);
    expect(peer.accepted()).toBe(1);
  });

  it("runs a function without faults, and warns once, when the policy is missing", async () => {
    await using peer = await echo();
    const clean = fault("slow_lnk")(connect);
    await clean(peer.port);
    await clean(peer.port);
    expect(peer.accepted()).toBe(2);
    const warnings = await takeWarnings();
    expect(warnings).toEqual([expect.objectContaining({ name: "FaultcoreWarning", code: "FAULTCORE_MISSING_POLICY" })]);
  });

  it("throws for a missing policy where that was asked for, before the body runs", async () => {
    await using peer = await echo();
    expect(() => fault("slow_lnk", { missing: "throw" })(connect)(peer.port)).toThrow(
      expect.objectContaining({ code: "ERR_FAULTCORE_UNKNOWN_POLICY" }),
    );
    expect(peer.accepted()).toBe(0);
  });
});

describe("the policy of the context", () => {
  it("is what fault() applies, and injects nothing by itself", async () => {
    await using peer = await echo();
    registerPolicy("slow_link", slowLink);
    const faulted = fault()(connect);
    await policyContext("slow_link").run(async () => {
      expect(getContextPolicy()).toBe("slow_link");
      await connect(peer.port);
      expect(await failureOf(faulted(peer.port))).toMatchObject({ code: "ETIMEDOUT", syscall: "connect" });
    });
    expect(getContextPolicy()).toBeNull();
    await faulted(peer.port);
    expect(peer.accepted()).toBe(2);
  });

  it("is read when the function is called, and can be set and unset", async () => {
    await using peer = await echo();
    registerPolicy("slow_link", slowLink);
    const faulted = fault("auto")(connect);
    setContextPolicy("slow_link");
    expect(await failureOf(faulted(peer.port))).toMatchObject({ code: "ETIMEDOUT" });
    setContextPolicy(null);
    await faulted(peer.port);
    expect(peer.accepted()).toBe(1);
  });

  it("may be inline fields, which are gone on exit and never listed", async () => {
    await using peer = await echo();
    const faulted = fault()(connect);
    await failureOf(policyContext({ connection_error: { kind: "refused" } }).run(() => faulted(peer.port)));
    await policyContext({ latency: "30ms" }).run(async () => {
      expect(listPolicies()).toEqual([]);
      const { ms } = await timed(() => faulted(peer.port));
      expect(ms).toBeGreaterThanOrEqual(60);
    });
    expect(getContextPolicy()).toBeNull();
    await faulted(peer.port);
  });

  it("runs clean, with one warning, where the selected name is not registered", async () => {
    await using peer = await echo();
    await policyContext("nowhere").run(() => fault()(connect)(peer.port));
    expect(peer.accepted()).toBe(1);
    expect(await takeWarnings()).toEqual([expect.objectContaining({ code: "FAULTCORE_MISSING_POLICY" })]);
  });
});
