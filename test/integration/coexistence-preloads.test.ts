// Programs into which several tools are loaded by NODE_OPTIONS: OpenTelemetry with its module hooks, an agent that wraps net and http, and
// faultcore, in either order.
import { dirname } from "node:path";
import { describe, expect, it } from "vitest";
import { fixture, jsonLines, node } from "../helpers/programs.ts";

interface Seen {
  readonly client: string;
  /** The span and another store were still there after the request. */
  readonly kept: boolean;
  readonly spans: readonly string[];
  /** The server and all spans had the program's trace. */
  readonly sameTrace: boolean;
  readonly connectMs: number;
  /** What the agent counted. */
  readonly connects: number;
  readonly requests: number;
  readonly flows?: readonly string[];
  readonly latency?: number;
  readonly unsteered?: number;
}

const cwd = dirname(fixture("telemetry"));
const telemetry = "--import ./telemetry-setup.mjs";
const agent = "--require ./wrap-net.cjs";
const faultcore = "--import faultcore/register";
/** One way, of the scopes of the program. */
const LATENCY_MS = 20;

describe.concurrent("Beside OpenTelemetry and an agent in NODE_OPTIONS", () => {
  for (const [order, options] of [
    ["last", [agent, telemetry, faultcore]],
    ["first", [faultcore, telemetry, agent]],
  ] as const) {
    it(`faultcore, loaded ${order}, faults once, and each tool sees each call once, in its own context`, async () => {
      const seen = jsonLines<Seen>(
        await node([fixture("telemetry")], { cwd, env: { NODE_OPTIONS: options.join(" ") }, killAfterMs: 50_000 }),
      );
      const whole = { kept: true, sameTrace: true, spans: ["GET", "tcp.connect"], connects: 1 };
      const faulted = { flows: ["localhost:#0"], latency: 4, unsteered: 0 };
      const [viaHttp, viaFetch, uninstalled, again, disabled] = seen;
      expect(seen).toHaveLength(5);
      expect(viaHttp).toMatchObject({ client: "http", requests: 1, ...whole, ...faulted });
      expect(viaFetch).toMatchObject({ client: "fetch", requests: 0, ...whole, ...faulted });
      expect(uninstalled).toMatchObject({ client: "http", requests: 1, ...whole });
      expect(again).toMatchObject({ client: "http", requests: 1, ...whole, ...faulted });
      // What an instrumentation that is taken back still records is its own affair.
      expect(disabled).toMatchObject({ client: "http", kept: true, connects: 1, requests: 1, ...faulted });
      const connects = seen.filter(({ latency }) => latency !== undefined).map(({ connectMs }) => connectMs);
      expect(Math.min(...connects)).toBeGreaterThanOrEqual(2 * LATENCY_MS);
    });
  }
});
