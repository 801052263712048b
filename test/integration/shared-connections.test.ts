// Whose a request is where clients queue requests and connections carry several of them.
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { faultScope, install, reset, uninstall } from "faultcore";
import type { FaultScope } from "faultcore";
import { Agent, Pool, request, fetch as undiciFetch } from "undici";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { timed } from "../helpers/measure.ts";
import { listen, serve } from "../helpers/peers.ts";

beforeAll(() => install({ steer: "always" }));
afterEach(() => reset());
afterAll(() => uninstall());

describe("a request that waits in a full pool of undici belongs to the scope that made it", () => {
  it("one after the other, while the connection is not free yet", async () => {
    await using web = await listen(http.createServer((_request, response) => response.end("ok")));
    const pool = new Pool(`http://127.0.0.1:${web.port}`, { connections: 1 });
    const get = async (): Promise<string> => (await pool.request({ path: "/", method: "GET" })).body.text();
    await get();
    for (let n = 0; n < 3; n++) {
      const scope = faultScope({ latency: "30ms" });
      expect((await timed(() => scope.run(get))).ms).toBeGreaterThanOrEqual(60);
      expect(scope.report()).toMatchObject({ injected: 2, unsteered: 0 });
    }
    expect(web.accepted()).toBe(1);
    await pool.destroy();
  });

  for (const [name, get] of [
    ["request", async (url: string, dispatcher: Agent) => (await request(url, { dispatcher })).body.text()],
    ["its fetch", async (url: string, dispatcher: Agent) => (await undiciFetch(url, { dispatcher })).text()],
    ["fetch", async (url: string, dispatcher: Agent) => (await fetch(url, { dispatcher } as object)).text()],
  ] as const) {
    it(`several at once, ${name}`, async () => {
      await using web = await listen(http.createServer((_request, response) => response.end("ok")));
      const dispatcher = new Agent({ connections: 2 });
      const call = (): Promise<string> => get(`http://127.0.0.1:${web.port}/`, dispatcher);
      await Promise.all([call(), call()]);
      const scopes = [10, 20, 30, 40, 50, 60].map((latencyMs) => faultScope({ latency: `${latencyMs}ms` }));
      await Promise.all(scopes.map((scope) => scope.run(call)));
      expect(scopes.map((scope) => scope.report().faults["latency"]?.delayMs)).toEqual([20, 40, 60, 80, 100, 120]);
      expect(web.accepted()).toBe(2);
      await dispatcher.destroy();
    });
  }
});

it("HTTP/2 requests of several scopes at once share their connection, and those only", async () => {
  await using web = await listen(http2.createServer((_request, response) => response.end("ok")));
  const session = http2.connect(`http://127.0.0.1:${web.port}`);
  const run = async (): Promise<FaultScope> => {
    const scope = faultScope({ latency: "5ms" });
    await scope.run(async () => {
      const stream = session.request({ ":path": "/" });
      stream.resume();
      await once(stream, "end");
    });
    return scope;
  };
  for (let n = 0; n < 3; n++) {
    const { injected, shared } = (await run()).report();
    // How many packets a session makes of a request depends on the machine's load.
    expect(injected).toBeGreaterThanOrEqual(2);
    expect(shared).toBe(false);
  }
  for (const scope of await Promise.all([run(), run()])) expect(scope.report().shared).toBe(true);
  session.destroy();
});

it("scopes that write before anything is answered share their connection, also where nobody's bytes are in between", async () => {
  let bytes = 0;
  await using peer = await serve((socket) => socket.on("data", (chunk) => (bytes += chunk.length) === 3 && socket.write("answers")));
  const socket = net.connect(peer.port, "127.0.0.1");
  await once(socket, "connect");
  const scopes = [faultScope({ latency: "5ms" }), faultScope({ latency: "5ms" })] as const;
  const answer = once(socket, "data");
  const exchanges = [
    scopes[0].run(() => (socket.write("1"), answer)),
    (socket.write("2"), answer),
    scopes[1].run(() => (socket.write("3"), answer)),
  ];
  await Promise.all(exchanges);
  expect(scopes.map((scope) => scope.report().shared)).toEqual([true, true]);
  socket.destroy();
});
