import { once } from "node:events";
import http from "node:http";
import { setImmediate as nextTurn } from "node:timers/promises";
import { faultScope, install, registerPolicy, reset, runSeed, uninstall, withFaults } from "faultcore";
import type { FaultEvent, PolicyFields } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { listen, serve } from "../helpers/peers.ts";
import { talk } from "../helpers/worker-peer.ts";

const SEED = 13;
const RUNS = 20;
const CALLS = 5;

const noisy = (seed: number): PolicyFields => ({
  latency: "1ms",
  jitter: "4ms",
  rate: "20mbps",
  packetLoss: "1%",
  burstLoss: 2,
  connectionError: { kind: "refused", prob: "15%" },
  seed,
});

const answerOf = (bytes: number): Buffer => Buffer.alloc(bytes, "a");

/** Every decision, by flow and position; neither times nor what the network's own timing decides. */
function logOf(events: readonly FaultEvent[]): string[] {
  return events
    .map(({ target, flow, direction, position, fault, decision, delayMs, code }) => {
      const drawn = fault === "jitter" ? ` ${delayMs.toFixed(6)}` : "";
      return `${target} flow ${flow} ${direction} ${position} ${fault} ${decision}${drawn} ${code ?? ""}`.trim();
    })
    .toSorted();
}

/** Posts to two servers over connections that are kept alive; one call may fail, and the next one goes on. */
async function call(name: string, ports: readonly number[]): Promise<string[]> {
  const scope = faultScope(name);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  await scope.run(async () => {
    for (let request = 0; request < 4; request++) {
      const options = {
        port: ports[request % 2]!,
        host: "127.0.0.1",
        agent,
        method: "POST",
        path: `/${4000 * (request + 1)}`,
        headers: { host: "test" },
      };
      const sent = http.request(options);
      sent.end(Buffer.alloc(3000 * request, "q"));
      try {
        const [response] = (await once(sent, "response")) as [http.IncomingMessage];
        response.resume();
        await once(response, "end");
      } catch {
        // Refused: that is a decision too.
      }
    }
  });
  agent.destroy();
  return logOf(scope.events());
}

/** One run: all calls at once, begun in any order, on servers of its own. */
async function run(seed: number, order: readonly number[]): Promise<Map<string, string[]>> {
  reset();
  const server = (): http.Server =>
    http.createServer((request, response) => {
      request.resume();
      request.on("end", () => response.end(answerOf(Number(request.url?.slice(1)))));
    });
  await using first = await listen(server());
  await using second = await listen(server());
  for (let index = 0; index < CALLS; index++) registerPolicy(`call ${index}`, noisy(seed));
  const calls = order.map(async (index, place) => {
    for (let turn = 0; turn < (place * 7) % 5; turn++) await nextTurn();
    return [`call ${index}`, await call(`call ${index}`, [first.port, second.port])] as const;
  });
  return new Map((await Promise.all(calls)).toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Another order for each run, the same in every run of the tests. */
function shuffled(by: number): number[] {
  const order = Array.from({ length: CALLS }, (_, index) => index);
  let state = by * 2_654_435_761 + 1;
  for (let last = CALLS - 1; last > 0; last--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const other = state % (last + 1);
    [order[last], order[other]] = [order[other]!, order[last]!];
  }
  return order;
}

beforeAll(() => install());
afterEach(() => reset());
afterAll(() => uninstall());

describe("the same seed", () => {
  it(`makes the same decisions per flow in ${RUNS} runs, in any interleaving and on any ports`, async () => {
    const first = await run(SEED, shuffled(0));
    const lines = [...first.values()].flat();
    console.log(
      `seed ${SEED}: ${lines.length} decisions of ${CALLS} calls, ${lines.filter((line) => line.includes("lost")).length} losses`,
    );
    // All faults take part, or little is put to the test.
    for (const fault of ["latency", "jitter", "rate", "packet_loss", "burst_loss", "connection_error"]) {
      expect(lines.some((line) => line.includes(` ${fault} `))).toBe(true);
    }
    for (let again = 1; again < RUNS; again++) expect(await run(SEED, shuffled(again))).toEqual(first);
  }, 60_000);

  it("makes the same decisions after reset(), and other ones without it", async () => {
    await using peer = await serve((socket) => socket.end("ok\n"));
    const fates = async (): Promise<string> => {
      let text = "";
      for (let n = 0; n < 40; n++) text += await fate(peer.port, { connectionError: { kind: "reset", prob: "50%" }, seed: 3 });
      return text;
    };
    const first = await fates();
    expect(await fates()).not.toBe(first);
    reset();
    expect(await fates()).toBe(first);
  });

  it("starts again where a policy is registered anew, and goes on where it is not", async () => {
    await using peer = await serve((socket) => socket.end("ok\n"));
    const fates = async (): Promise<string> => {
      let text = "";
      for (let n = 0; n < 40; n++) text += await fate(peer.port, "flaky");
      return text;
    };
    const flaky: PolicyFields = { connectionError: { kind: "reset", prob: "50%" }, seed: 3 };
    registerPolicy("flaky", flaky);
    const first = await fates();
    expect(await fates()).not.toBe(first);
    registerPolicy("flaky", flaky);
    expect(await fates()).toBe(first);
  });
});

describe("another seed", () => {
  it("makes other decisions", async () => {
    const one = await run(SEED, shuffled(0));
    const other = await run(SEED + 1, shuffled(0));
    for (const [name, log] of one) expect(other.get(name)).not.toEqual(log);
  });

  it("is the run's where the policy has none, which report() shows", async () => {
    await using peer = await serve((socket) => socket.end("ok\n"));
    const scope = faultScope({ latency: "1ms" });
    await scope.run(async () => (await talk({ port: peer.port, host: "127.0.0.1" })).close());
    expect(scope.report().seed).toBe(String(runSeed()));
  });
});

describe("a loop of 100 faulted calls", () => {
  it("sees different fates, each call its own, and the same ones in the next run", async () => {
    await using peer = await serve((socket) => socket.end("ok\n"));
    const jitters = async (): Promise<number[]> => {
      reset();
      const drawn: number[] = [];
      for (let n = 0; n < 100; n++) {
        const scope = faultScope({ uplink: { jitter: "3ms" }, seed: 9 });
        await scope.run(async () => (await talk({ port: peer.port, host: "127.0.0.1" })).close());
        drawn.push(scope.events().find(({ fault }) => fault === "jitter")!.delayMs);
      }
      return drawn;
    };
    const first = await jitters();
    expect(new Set(first).size).toBe(100);
    expect(await jitters()).toEqual(first);
  });
});

async function fate(port: number, policy: string | PolicyFields): Promise<string> {
  try {
    const conversation = await withFaults(policy, () => talk({ port, host: "127.0.0.1" }));
    await conversation.close();
    return ".";
  } catch {
    return "x";
  }
}
