// A request belongs to the scope of whoever made it, wherever the client queues it, and whoever's socket it gets.
import { AsyncResource } from "node:async_hooks";
import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import net from "node:net";
import type { Socket } from "node:net";
import { Readable } from "node:stream";
import { faultScope, install, reset, uninstall, withoutFaults } from "faultcore";
import type { FaultScope, PolicyFields } from "faultcore";
import { Agent, Client, RetryAgent, fetch as undiciFetch, interceptors, request } from "undici";
import type { Dispatcher } from "undici";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { authority, localhost } from "../helpers/certificates.mjs";
import { listen, serve } from "../helpers/peers.ts";

// Connections outside of all scopes are not steered here: what a scope does must not depend on that.
beforeAll(() => install());
afterEach(() => reset());
afterAll(() => uninstall());

/** Delays in ms that a scope's calls met. */
function delayMs(scope: FaultScope): number | undefined {
  return scope.report().faults["latency"]?.delayMs;
}

/** Two scopes and a call of nobody's between them and behind them, all at once. */
async function runTogether(call: () => Promise<unknown>): Promise<readonly [FaultScope, FaultScope]> {
  const scopes = [faultScope({ latency: "15ms" }), faultScope({ latency: "10ms" })] as const;
  await Promise.all([scopes[0].run(call), call(), scopes[1].run(call), call()]);
  return scopes;
}

describe("a request that waits in a full agent of node:http belongs to the scope that made it", () => {
  function get(options: https.RequestOptions): Promise<string | undefined> {
    const client = options.protocol === "https:" ? https : http;
    return new Promise((resolve) => {
      const sent = client.get({ host: "127.0.0.1", servername: "localhost", ca: authority, ...options }, (response) => {
        response.resume().once("end", () => resolve("ok"));
      });
      sent.once("error", (error: NodeJS.ErrnoException) => resolve(error.code));
    });
  }

  for (const protocol of ["http:", "https:"]) {
    it(`where the connection that it waited for closes, and it gets a new one (${protocol})`, async () => {
      const answer = (_request: http.IncomingMessage, response: http.ServerResponse): void => {
        response.setHeader("connection", "close").end("ok");
      };
      await using web = await listen(protocol === "http:" ? http.createServer(answer) : https.createServer(localhost, answer));
      const agent = new (protocol === "http:" ? http : https).Agent({ keepAlive: true, maxSockets: 1 });
      const call = (): Promise<string | undefined> => get({ protocol, port: web.port, agent });
      const [slow, fast] = await runTogether(call);
      expect(web.accepted()).toBe(4);
      // A connect is a round trip, a request too, and so is a handshake.
      const roundTrips = protocol === "http:" ? 2 : 3;
      expect(delayMs(slow)).toBeGreaterThanOrEqual(roundTrips * 30);
      expect(delayMs(fast)).toBeGreaterThanOrEqual(roundTrips * 20);
      for (const scope of [slow, fast]) expect(scope.report()).toMatchObject({ flows: [{ governed: true }], unsteered: 0, shared: false });
      agent.destroy();
    });
  }

  it("where that connection was opened before any scope", async () => {
    const server = http.createServer();
    await using web = await listen(server);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const call = (): Promise<string | undefined> => get({ port: web.port, agent });
    const first = call();
    const [, answerToFirst] = (await once(server, "request")) as [http.IncomingMessage, http.ServerResponse];
    const scope = faultScope({ connectionError: { kind: "refused" } });
    const queued = scope.run(call);
    const behind = call();
    server.on("request", (_request, response) => response.end("ok"));
    answerToFirst.setHeader("connection", "close").end("ok");
    expect(await Promise.all([first, queued, behind])).toEqual(["ok", "ECONNREFUSED", "ok"]);
    expect(scope.report()).toMatchObject({ injected: 1, unsteered: 0 });
    agent.destroy();
  });

  it("where it gets the connection itself, when that is free", async () => {
    await using web = await listen(http.createServer((_request, response) => response.end("ok")));
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const [slow, fast] = await runTogether(() => get({ port: web.port, agent }));
    expect(web.accepted()).toBe(1);
    expect([delayMs(slow), delayMs(fast)]).toEqual([60, 20]);
    agent.destroy();
  });
});

describe("a request that undici makes again belongs to the scope that made it first", () => {
  const makers: Record<string, (agent: Agent, url: string, n: number) => Promise<Dispatcher.ResponseData>> = {
    redirect: (agent, url) => request(`${url}/away`, { dispatcher: agent.compose(interceptors.redirect({ maxRedirections: 1 })) }),
    retry: (agent, url, n) => request(`${url}/flaky${n}`, { dispatcher: new RetryAgent(agent, { minTimeout: 1, maxTimeout: 1 }) }),
  };
  for (const [name, make] of Object.entries(makers)) {
    it(`in a ${name}`, async () => {
      const seen = new Set<string>();
      await using web = await listen(
        http.createServer(({ url = "" }, response) => {
          if (url === "/away") response.writeHead(302, { location: "/" });
          else if (url !== "/" && !seen.has(url)) response.writeHead(503, { "retry-after": "0" });
          seen.add(url);
          response.end("ok");
        }),
      );
      const agent = new Agent({ connections: 1 });
      const origin = `http://127.0.0.1:${web.port}`;
      await faultScope({}).run(async () => (await request(origin, { dispatcher: agent })).body.text());
      let n = 0;
      const [slow, fast] = await runTogether(async () => (await make(agent, origin, n++)).body.text());
      expect([delayMs(slow), delayMs(fast)]).toEqual([60, 40]);
      expect(web.accepted()).toBe(1);
      await agent.destroy();
    });
  }

  it("and one that it queues for an HTTP/2 session is one use", async () => {
    await using web = await listen(http2.createSecureServer(localhost, (_request, response) => response.end("ok")));
    const dispatcher = new Agent({ allowH2: true, connections: 1, connect: { ca: authority } });
    const call = async (): Promise<string> => (await undiciFetch(`https://localhost:${web.port}/`, { dispatcher })).text();
    await faultScope({}).run(call);
    const [slow, fast] = await runTogether(call);
    // How many packets an HTTP/2 session makes of a request depends on the machine's load.
    expect(delayMs(slow)).toBeGreaterThanOrEqual(30);
    expect(delayMs(fast)).toBeGreaterThanOrEqual(20);
    expect(fast.report()).toMatchObject({ flows: [{ governed: true }], shared: false });
    const limited = faultScope({ latency: "1ms", times: 2 });
    await limited.run(async () => {
      for (let n = 0; n < 3; n++) await call();
    });
    expect(limited.report()).toMatchObject({ flows: [{ governed: true, skipped: 1 }], skipped: 1 });
    await dispatcher.destroy();
  });
});

/** A client of a line protocol that sends one command at a time, the next one when the answer has come. */
class QueueingClient {
  readonly #socket: Socket;
  readonly #waiting: { readonly send: () => void; readonly answered: () => void }[] = [];
  readonly #remembers: boolean;

  constructor(socket: Socket, remembers: boolean) {
    this.#socket = socket;
    this.#remembers = remembers;
    socket.on("data", () => {
      this.#waiting.shift()!.answered();
      this.#waiting[0]?.send();
    });
  }

  command(): Promise<void> {
    return new Promise((answered) => {
      const send = (): unknown => this.#socket.write("x");
      this.#waiting.push({ send: this.#remembers ? AsyncResource.bind(send) : send, answered });
      if (this.#waiting.length === 1) send();
    });
  }
}

describe("a command that a client queues, and writes when the answer to the one before comes in,", () => {
  // Also a connection that nobody's scope opened is governed here.
  beforeAll(() => install({ steer: "always" }));
  afterAll(() => install({ steer: "scoped" }));

  for (const [opener, policy] of [
    ["nobody", undefined],
    ["a scope that is over", {}],
  ] as const satisfies readonly (readonly [string, PolicyFields | undefined])[]) {
    it(`belongs to the scope that it was made in where the client goes back to its caller's context (opened by ${opener})`, async () => {
      await using peer = await serve((socket) => socket.pipe(socket));
      const socket = await (policy === undefined ? open(peer.port) : faultScope(policy).run(() => open(peer.port)));
      const client = new QueueingClient(socket, true);
      const [slow, fast] = await runTogether(() => client.command());
      expect([delayMs(slow), delayMs(fast)]).toEqual([30, 20]);
      socket.destroy();
    });
  }

  it("goes on with the scope before it where the client does not, as a pong does", async () => {
    await using peer = await serve((socket) => socket.pipe(socket));
    const socket = await faultScope({}).run(() => open(peer.port));
    const client = new QueueingClient(socket, false);
    const [slow, fast] = await runTogether(() => client.command());
    expect(delayMs(slow)).toBeGreaterThanOrEqual(30);
    expect(fast.report()).toMatchObject({ injected: 0, flows: [] });
    socket.destroy();
  });

  for (const [opener, policy] of [
    ["nobody", undefined],
    ["another scope", { latency: "100ms" }],
  ] as const satisfies readonly (readonly [string, PolicyFields | undefined])[]) {
    it(`goes on with the scope that it answers, also a while later (opened by ${opener})`, async () => {
      await using peer = await serve((socket) => socket.pipe(socket));
      const other = faultScope(policy ?? {});
      const converse = async (): Promise<FaultScope> => {
        const socket = await (policy === undefined ? withoutFaults(() => open(peer.port)) : open(peer.port));
        let steps = 0;
        const over = new Promise<void>((resolve) => {
          socket.on("data", () => {
            steps++;
            if (steps === 1) setImmediate(() => socket.write("by a timer"));
            else if (steps === 2) process.nextTick(() => socket.write("in the next tick"));
            else if (steps === 3) Readable.from(["piped"]).pipe(socket, { end: false });
            else resolve();
          });
        });
        const scope = faultScope({ latency: "10ms" });
        await scope.run(async () => {
          socket.write("first");
          await over;
        });
        socket.destroy();
        return scope;
      };
      const scope = await other.run(converse);
      expect(delayMs(scope)).toBe(4 * 20);
      // Its connect, and nothing after it.
      expect(delayMs(other)).toBe(policy === undefined ? undefined : 200);
    });
  }

  async function open(port: number): Promise<Socket> {
    const socket = net.connect(port, "127.0.0.1");
    await once(socket, "connect");
    return socket;
  }
});

describe("scopes whose calls have one connection at one time are told so", () => {
  it("when one writes before anything has come back to the other", async () => {
    await using web = await listen(http.createServer((_request, response) => response.end("ok")));
    const client = new Client(`http://127.0.0.1:${web.port}`, { pipelining: 4 });
    const call = async (): Promise<string> => (await client.request({ path: "/", method: "GET", blocking: false })).body.text();
    await faultScope({}).run(call);
    for (const scope of await runTogether(call)) expect(scope.report()).toMatchObject({ shared: true, flows: [{ governed: true }] });
    await client.destroy();
  });

  it("and not when they have it one after the other", async () => {
    await using web = await listen(http.createServer((_request, response) => response.end("ok")));
    const client = new Client(`http://127.0.0.1:${web.port}`);
    const call = async (): Promise<string> => (await client.request({ path: "/", method: "GET" })).body.text();
    for (const scope of await runTogether(call)) expect(scope.report()).toMatchObject({ shared: false });
    await client.destroy();
  });
});
