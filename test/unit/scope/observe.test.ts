import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { brandInjected } from "../../../src/internal/brand.ts";
import { event, makeLayer, turn, type Layer } from "./helpers.ts";

let layer: Layer;

beforeEach(() => {
  layer = makeLayer();
});

afterEach(() => {
  layer.expectQuiet();
});

describe("a report", () => {
  it("says what was touched, what acted, and what did nothing", () => {
    const { faultScope, host } = layer;
    const fields = {
      latency: "50ms",
      jitter: "1ms",
      timeout: { connect: "1s" },
      targets: ["127.0.0.0/8", { target: "10.0.0.1", priority: 5 }, "api.example:443"],
      seed: "0x10",
    };
    const scope = faultScope(fields);
    scope.run(() => {
      const record = host.begun[0]!;
      const flow = { hostname: undefined, address: "127.0.0.1", port: 4000 };
      record.flows.set(1n, { ...flow, target: "127.0.0.1:#0", ordinal: 0, governs: true, rule: 0 });
      record.flows.set(2n, { ...flow, target: "192.0.2.1:80", ordinal: 0, hostname: "other.example", governs: false, rule: -1 });
      host.decided(record, event());
      host.decided(record, event({ delayMs: 60 }));
      host.decided(record, event({ fault: "timeout", code: "ETIMEDOUT", delayMs: Infinity }));
      record.unsteered = 2;
      host.injected = 3;
    });
    const report = scope.report();
    expect(report).toMatchObject({ ordinal: 0, seed: "16", state: "ended", injected: 3, unsteered: 2, shared: false });
    expect(report.flows.map(({ target, governed, rule, events }) => [target, governed, rule?.text, events])).toEqual([
      ["127.0.0.1:#0", true, "127.0.0.0/8", 3],
      ["192.0.2.1:80", false, undefined, 0],
    ]);
    expect(report.faults).toEqual({
      latency: { count: 2, delayMs: 110, maxDelayMs: 60, held: 0, measured: null, codes: {} },
      timeout: { count: 1, delayMs: 0, maxDelayMs: 0, held: 1, measured: null, codes: { ETIMEDOUT: 1 } },
    });
    expect(report.silentFaults).toEqual(["jitter"]);
    expect(report.unmatchedRules).toEqual([
      { index: 1, text: '{"target":"10.0.0.1","priority":5}' },
      { index: 2, text: "api.example:443" },
    ]);
    expect(report.events).toEqual({ recorded: 3, kept: 3, dropped: 0 });
    expect(JSON.parse(JSON.stringify(report))).toEqual(report);
  });

  it("counts events that were not kept", () => {
    const scope = layer.faultScope("slow");
    scope.run(() => {
      for (let n = 0; n < 10_002; n++) layer.host.decided(layer.host.begun[0]!, event());
    });
    expect(scope.report().events).toEqual({ recorded: 10_002, kept: 10_000, dropped: 2 });
    expect(scope.report().faults["latency"]?.count).toBe(10_002);
  });

  it("of a policy that matched nothing says so", () => {
    const scope = layer.faultScope({ latency: "50ms", targets: ["10.0.0.1"] });
    scope.run(() => {});
    expect(scope.report()).toMatchObject({
      injected: 0,
      flows: [],
      silentFaults: ["latency"],
      unmatchedRules: [{ index: 0, text: "10.0.0.1" }],
    });
  });
});

describe("onFault", () => {
  it("hears every event until it stops", () => {
    const { onFault, publish } = layer;
    const heard: number[] = [];
    const stop = onFault(({ bytes }) => heard.push(bytes));
    publish(event({ bytes: 1 }));
    {
      using _ = onFault(({ bytes }) => heard.push(bytes * 10));
      publish(event({ bytes: 2 }));
    }
    stop();
    stop();
    publish(event({ bytes: 3 }));
    expect(heard).toEqual([1, 2, 20]);
    expect(layer.host.listenersChanged).toBe(4);
  });

  it("publishes on the diagnostics channel", () => {
    const heard: unknown[] = [];
    const listener = (message: unknown): void => void heard.push(message);
    subscribe("faultcore:event", listener);
    layer.publish(event());
    unsubscribe("faultcore:event", listener);
    expect(heard).toEqual([event()]);
  });

  it("a listener that throws is an uncaught exception, and the others still hear", async () => {
    const before = process.listeners("uncaughtException");
    process.removeAllListeners("uncaughtException");
    const uncaught: unknown[] = [];
    process.once("uncaughtException", (error) => uncaught.push(error));
    const error = new Error("listener");
    using _first = layer.onFault(() => {
      throw error;
    });
    const heard: unknown[] = [];
    using _second = layer.onFault((each) => heard.push(each));
    layer.publish(event());
    await turn();
    for (const listener of before) process.on("uncaughtException", listener);
    expect(uncaught).toEqual([error]);
    expect(heard).toHaveLength(1);
  });

  it("refuses what is no function", () => {
    expect(() => layer.onFault(undefined as never)).toThrow(expect.objectContaining({ code: "ERR_FAULTCORE_INVALID_ARGUMENT" }));
  });
});

describe("isInjected", () => {
  it("finds the mark on an error, behind causes and among errors, through cycles", () => {
    const { isInjected } = layer;
    const injected = brandInjected(new Error("ECONNRESET"));
    expect(isInjected(injected)).toBe(true);
    expect(isInjected(new TypeError("fetch failed", { cause: injected }))).toBe(true);
    expect(isInjected(new Error("outer", { cause: new AggregateError([new Error("a"), injected]) }))).toBe(true);
    const cycle: Error & { cause?: unknown } = new Error("cycle");
    cycle.cause = new AggregateError([cycle]);
    expect(isInjected(cycle)).toBe(false);
    for (const other of [new Error("plain"), undefined, null, "text", 5, { errors: "none" }]) expect(isInjected(other)).toBe(false);
  });
});
