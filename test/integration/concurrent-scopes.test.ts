import { once } from "node:events";
import http from "node:http";
import { faultScope, install, isInjected, reset, uninstall } from "faultcore";
import type { FaultScope, PolicyFields } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { nowMs } from "../helpers/measure.ts";
import { echo, listen } from "../helpers/peers.ts";
import { talk } from "../helpers/worker-peer.ts";

async function get(port: number, agent: http.Agent, signal: AbortSignal): Promise<void> {
  const request = http.get({ port, host: "127.0.0.1", agent, signal });
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  response.resume();
  await once(response, "end");
}

beforeAll(() => install({ steer: "always" }));
afterEach(() => reset());
afterAll(() => uninstall());

describe("200 concurrent calls under ten policies and none", () => {
  /** An hour would do as well: whoever gets it by mistake never ends. */
  const never: PolicyFields = { latency: "10m" };
  const policies: readonly (PolicyFields | undefined)[] = [
    undefined,
    ...[15, 30, 45, 60, 75].map((latencyMs): PolicyFields => ({ latency: `${latencyMs}ms` })),
    { connectionError: { kind: "refused" } },
    { connectionError: { kind: "reset" } },
    { connectionError: { kind: "unreachable" } },
    { latency: "5m", timeout: { connect: "25ms", recv: "25ms" } },
    never,
  ];

  it("see their own faults and nobody else's, over keep-alive agents, fetch and plain sockets", async () => {
    await using web = await listen(http.createServer((_request, response) => response.end("ok")));
    await using plain = await echo();
    const agent = new http.Agent({ keepAlive: true });
    const transports: readonly ((signal: AbortSignal) => Promise<void>)[] = [
      (signal) => get(web.port, agent, signal),
      async (signal) => {
        await (await fetch(`http://127.0.0.1:${web.port}/`, { signal })).text();
      },
      async (signal) => {
        const conversation = await talk({ port: plain.port, host: "127.0.0.1", signal });
        await conversation.ask("x");
        await conversation.close();
      },
    ];

    /** What must be true of a call that has ended. */
    const judge = (policy: PolicyFields, scope: FaultScope, error: unknown, ms: number): string[] => {
      const faults = Object.keys(scope.report().faults);
      if (policy === never) return (error as Error).name === "AbortError" && !isInjected(error) ? [] : [`not aborted: ${String(error)}`];
      if (policy.connectionError !== undefined || policy.timeout !== undefined) {
        const fault = policy.timeout === undefined ? "connection_error" : "timeout";
        return isInjected(error) && faults.includes(fault) ? [] : [`no ${fault}: ${String(error)}`];
      }
      const latencyMs = Number.parseInt(policy.latency!, 10);
      const others = scope.events().filter(({ fault, delayMs }) => fault !== "latency" || delayMs !== latencyMs);
      return [
        ...(error === undefined ? [] : [`failed: ${(error as Error).message}`]),
        ...(ms >= 2 * latencyMs ? [] : [`took ${ms} ms`]),
        ...(scope.report().injected > 0 ? [] : ["was not faulted"]),
        ...others.map(({ fault, delayMs }) => `saw ${fault} ${delayMs}`),
      ];
    };

    // The second wave meets the pools that the first one left.
    for (let wave = 0; wave < 2; wave++) {
      const giveUp = new AbortController();
      const one = async (call: number): Promise<string[]> => {
        const policy = policies[call % policies.length];
        const run = transports[call % transports.length]!;
        if (policy === undefined) {
          await run(new AbortController().signal);
          return [];
        }
        const scope = faultScope(policy);
        const began = nowMs();
        const signal = policy === never ? giveUp.signal : new AbortController().signal;
        let error: unknown;
        try {
          await scope.run(() => run(signal));
        } catch (thrown) {
          error = thrown;
        }
        return judge(policy, scope, error, nowMs() - began).map((wrong) => `call ${call} under ${JSON.stringify(policy)} ${wrong}`);
      };
      const calls = Array.from({ length: 200 }, (_, call) => ({ endless: policies[call % policies.length] === never, outcome: one(call) }));
      const outcomes = await Promise.all(calls.filter(({ endless }) => !endless).map(({ outcome }) => outcome));
      giveUp.abort();
      outcomes.push(...(await Promise.all(calls.map(({ outcome }) => outcome))));
      expect(outcomes.flat()).toEqual([]);
    }
    agent.destroy();
  });
});
