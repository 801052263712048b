import http from "node:http";
import http2 from "node:http2";
import { once } from "node:events";
import { activate, faultScope, install, registerPolicy, reset, uninstall, withFaults } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { failureOf } from "../helpers/measure.ts";
import { echo, listen } from "../helpers/peers.ts";
import { talk } from "../helpers/worker-peer.ts";

beforeAll(() => install({ steer: "always" }));
afterEach(() => reset());
afterAll(() => uninstall());

const refused = { connectionError: { kind: "refused" } } as const;

/** `ok`, or the error's code. */
async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work;
    return "ok";
  } catch (error) {
    const { cause, code } = error as NodeJS.ErrnoException;
    return (cause as NodeJS.ErrnoException | undefined)?.code ?? code ?? "no code";
  }
}

async function connectOnce(port: number): Promise<void> {
  const conversation = await talk({ port, host: "127.0.0.1" });
  await conversation.ask("hello");
  await conversation.close();
}

function server(): Promise<Awaited<ReturnType<typeof listen>>> {
  return listen(http.createServer({ keepAliveTimeout: 60_000 }, (_request, response) => response.end("ok")));
}

function get(port: number, agent: http.Agent): Promise<string> {
  return new Promise((resolve, reject) => {
    http
      .get({ port, host: "127.0.0.1", agent }, (response) => {
        response.resume();
        response.once("end", () => resolve("ok"));
      })
      .once("error", reject);
  });
}

describe("times and skip", () => {
  it("fail two connects and then recover", async () => {
    await using peer = await echo();
    registerPolicy("flaky", { ...refused, times: 2 });
    const outcomes: string[] = [];
    for (let n = 0; n < 4; n++) outcomes.push(await outcome(withFaults("flaky", () => connectOnce(peer.port))));
    expect(outcomes).toEqual(["ECONNREFUSED", "ECONNREFUSED", "ok", "ok"]);
    // Registered again, it begins again.
    registerPolicy("flaky", { ...refused, skip: 1, times: 1 });
    outcomes.length = 0;
    for (let n = 0; n < 3; n++) outcomes.push(await outcome(withFaults("flaky", () => connectOnce(peer.port))));
    expect(outcomes).toEqual(["ok", "ECONNREFUSED", "ok"]);
  });

  it("count connects that run at the same time in the order in which they begin", async () => {
    await using peer = await echo();
    const scope = faultScope({ ...refused, skip: 1, times: 2 });
    const outcomes = await scope.run(() => Promise.all(Array.from({ length: 5 }, () => outcome(connectOnce(peer.port)))));
    expect(outcomes).toEqual(["ok", "ECONNREFUSED", "ECONNREFUSED", "ok", "ok"]);
    const report = scope.report();
    expect(report.skipped).toBe(3);
    expect(report.flows.map(({ governed, skipped }) => [governed, skipped])).toEqual([
      [false, 1],
      [true, 0],
      [true, 0],
      [false, 1],
      [false, 1],
    ]);
  });

  it("count requests on a connection that is kept alive, and not its connect twice", async () => {
    await using peer = await server();
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const scope = faultScope({ connectionError: { kind: "reset" }, skip: 2, times: 2 });
    const outcomes: string[] = [];
    await scope.run(async () => {
      for (let n = 0; n < 6; n++) outcomes.push(await outcome(get(peer.port, agent)));
    });
    // The third request dies on the open connection, the fourth at its connect.
    expect(outcomes).toEqual(["ok", "ok", "ECONNRESET", "ECONNRESET", "ok", "ok"]);
    expect(scope.report().skipped).toBe(4);
    agent.destroy();
  });

  it("leave a connection alone again after the last use that they govern", async () => {
    await using peer = await server();
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const scope = faultScope({ latency: "60ms", skip: 1, times: 1 });
    const times: number[] = [];
    await scope.run(async () => {
      for (let n = 0; n < 3; n++) {
        const began = performance.now();
        await get(peer.port, agent);
        times.push(performance.now() - began);
      }
    });
    agent.destroy();
    expect(times.map((ms) => ms >= 120)).toEqual([false, true, false]);
    const [flow, ...others] = scope.report().flows;
    expect(others).toEqual([]);
    expect(flow).toMatchObject({ governed: true, skipped: 2 });
  });

  it("count requests of fetch, one scope each, on its pooled connection", async () => {
    await using peer = await server();
    registerPolicy("flaky", { connectionError: { kind: "reset" }, skip: 1, times: 1 });
    const request = async (): Promise<void> => {
      await (await fetch(`http://127.0.0.1:${peer.port}/`)).text();
    };
    const outcomes: string[] = [];
    for (let n = 0; n < 3; n++) outcomes.push(await outcome(withFaults("flaky", request)));
    expect(outcomes).toEqual(["ok", "ECONNRESET", "ok"]);
  });

  it("count streams of an HTTP/2 session", async () => {
    const h2 = http2.createServer((_request, response) => response.end("ok"));
    await using peer = await listen(h2);
    const session = http2.connect(`http://127.0.0.1:${peer.port}`);
    await once(session, "connect");
    session.on("error", () => {});
    const request = async (): Promise<void> => {
      const stream = session.request();
      stream.resume();
      stream.end();
      await once(stream, "end");
    };
    using active = activate({ connectionError: { kind: "reset" }, skip: 2, times: 1 });
    const outcomes = [await outcome(request()), await outcome(request())];
    const failed = failureOf(request());
    expect(outcomes).toEqual(["ok", "ok"]);
    expect((await failed).code).toBe("ECONNRESET");
    expect(active.report().skipped).toBe(2);
  });

  it("count only what the policy's targets touch", async () => {
    await using peer = await echo();
    await using other = await echo();
    registerPolicy("flaky", { ...refused, times: 1, targets: [`127.0.0.1:${peer.port}`] });
    const outcomes: string[] = [];
    for (const { port } of [other, peer, peer]) outcomes.push(await outcome(withFaults("flaky", () => connectOnce(port))));
    expect(outcomes).toEqual(["ok", "ECONNREFUSED", "ok"]);
  });
});
