// Tools that answer HTTP requests in the peer's place, in one process with faultcore, whichever began first. What they mock is never
// dialled and never faulted; what they pass through is faulted once.
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { faultScope, install, isInjected, reset, uninstall } from "faultcore";
import type { PolicyFields, ScopeReport } from "faultcore";
import { http as mswHttp, HttpResponse, passthrough } from "msw";
import { setupServer } from "msw/node";
import nock from "nock";
import { fetch as undiciFetch, getGlobalDispatcher, MockAgent, setGlobalDispatcher } from "undici";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { authority, localhost } from "../helpers/certificates.mjs";
import { echo, listen } from "../helpers/peers.ts";
import { talk } from "../helpers/worker-peer.ts";

// nock 15 says that it works with Node 20, and uses this, which Node 22 brought.
(Promise as { withResolvers?: unknown }).withResolvers ??= <T>() => {
  let resolve, reject;
  const promise = new Promise<T>((...settle) => ([resolve, reject] = settle));
  return { promise, resolve, reject };
};

const MOCKED = "http://mocked.example/";
const LATENCY_MS = 5;

type Get = (url: string) => Promise<string>;

interface Mocks {
  start(): void;
  stop(): void;
  /** The ways to ask that the tool knows about. */
  readonly clients: Readonly<Record<string, Get>>;
}

function httpGet(url: string, options: https.RequestOptions = {}): Promise<string> {
  const { get } = url.startsWith("https:") ? https : http;
  return new Promise((resolve, reject) => {
    const request = get(url, { agent: false, ca: authority, ...options }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve(text));
      response.on("error", reject);
    });
    request.on("error", reject);
  });
}

const fetchGet: Get = async (url) => (await fetch(url, { headers: { connection: "close" } })).text();
const undiciGet: Get = async (url) => (await undiciFetch(url, { headers: { connection: "close" } })).text();

function msw(): Mocks {
  // Every request of these paths is passed on: `*` matches the real server.
  const handlers = [mswHttp.get(MOCKED, () => HttpResponse.text("mocked")), mswHttp.get("*/half", () => HttpResponse.text("mocked"))];
  const server = setupServer(
    ...handlers,
    mswHttp.get("*", () => passthrough()),
  );
  return { start: () => server.listen(), stop: () => server.close(), clients: { "http.get": httpGet, fetch: fetchGet } };
}

function nocks(): Mocks {
  return {
    start() {
      nock.activate();
      nock(MOCKED).persist().get("/").reply(200, "mocked");
      nock(/localhost/, { allowUnmocked: true })
        .persist()
        .get("/half")
        .reply(200, "mocked");
      nock.enableNetConnect(/localhost|127\.0\.0\.1/);
    },
    stop() {
      nock.cleanAll();
      nock.restore();
    },
    clients: { "http.get": httpGet, fetch: fetchGet, "undici's fetch": undiciGet },
  };
}

function mockAgent(): Mocks {
  const real = getGlobalDispatcher();
  let agent: MockAgent | undefined;
  return {
    start() {
      agent = new MockAgent();
      agent.enableNetConnect(/localhost|127\.0\.0\.1/);
      agent.get("http://mocked.example").intercept({ path: "/" }).reply(200, "mocked").persist();
      setGlobalDispatcher(agent);
    },
    stop() {
      setGlobalDispatcher(real);
      void agent?.close();
    },
    clients: { "undici's fetch": undiciGet },
  };
}

/** What a scope of this latency saw of a call. */
async function watch(call: () => Promise<string>, policy: PolicyFields = {}): Promise<{ text: string; report: ScopeReport }> {
  const scope = faultScope({ latency: `${LATENCY_MS}ms`, ...policy });
  const text = await scope.run(call);
  return { text, report: scope.report() };
}

let pristine: Pick<net.Socket, "connect">;
beforeAll(() => {
  // Loading nock starts it.
  nock.restore();
  pristine = { connect: net.Socket.prototype.connect };
});
beforeEach(() => uninstall());
afterEach(() => reset());
afterAll(() => uninstall());

for (const [tool, make] of [
  ["MSW", msw],
  ["nock", nocks],
  ["undici's MockAgent", mockAgent],
] as const) {
  describe(`beside ${tool}, faultcore`, () => {
    const mocks = make();
    let running = false;
    const start = (): void => {
      mocks.start();
      running = true;
    };
    const stop = (): void => {
      mocks.stop();
      running = false;
    };
    afterEach(() => {
      if (running) stop();
    });

    /** A request of each client: what is real crosses one connection, and is faulted once. */
    async function expectPassedThrough(): Promise<void> {
      await using web = await listen(http.createServer((_request, response) => response.end("real")));
      for (const [client, get] of Object.entries(mocks.clients)) {
        for (const host of ["localhost", "127.0.0.1"]) {
          const before = web.accepted();
          const { text, report } = await watch(() => get(`http://${host}:${web.port}/`));
          const { flows, faults, unsteered } = report;
          expect({ client, text, unsteered, connections: web.accepted() - before }).toEqual({
            client,
            text: "real",
            unsteered: 0,
            connections: 1,
          });
          expect(flows.map(({ target, governed }) => ({ target, governed }))).toEqual([{ target: `${host}:#0`, governed: true }]);
          // The connect and the request, each one way and the other.
          expect(faults["latency"]).toMatchObject({ count: 4, delayMs: 4 * LATENCY_MS });
        }
      }
    }

    async function expectMocked(): Promise<void> {
      for (const [client, get] of Object.entries(mocks.clients)) {
        const { text, report } = await watch(() => get(MOCKED), { connectionError: { kind: "refused" }, dns: { nxdomain: "100%" } });
        const { injected, flows, unsteered } = report;
        expect({ client, text, injected, flows, unsteered }).toEqual({ client, text: "mocked", injected: 0, flows: [], unsteered: 0 });
      }
    }

    async function expectUnfaulted(): Promise<void> {
      await using web = await listen(http.createServer((_request, response) => response.end("real")));
      for (const get of Object.values(mocks.clients)) expect(await get(`http://localhost:${web.port}/`)).toBe("real");
    }

    it("that is installed first leaves mocks alone, and faults once what is passed through", async () => {
      install({ steer: "always" });
      start();
      await expectMocked();
      await expectPassedThrough();
    });

    it("that is installed second leaves mocks alone, and faults once what is passed through", async () => {
      start();
      install();
      await expectMocked();
      await expectPassedThrough();
    });

    it("stays when mocking ends and begins again", async () => {
      start();
      install();
      stop();
      await expectPassedThrough();
      start();
      await expectMocked();
      await expectPassedThrough();
    });

    it("can be uninstalled, whichever began first: mocking goes on", async () => {
      for (const first of [start, () => install()]) {
        first();
        if (running) install();
        else start();
        uninstall();
        for (const get of Object.values(mocks.clients)) expect(await get(MOCKED)).toBe("mocked");
        await expectUnfaulted();
        // The next scope installs faultcore again.
        await expectPassedThrough();
        await expectMocked();
        stop();
        await expectPassedThrough();
        uninstall();
        await expectUnfaulted();
      }
    });

    it("leaves nothing behind when both begin and end in turn, several times", () => {
      for (let n = 0; n < 6; n++) {
        if (n % 2 === 0) start();
        install();
        if (n % 2 === 1) start();
        if (n % 3 === 0) stop();
        uninstall();
        if (n % 3 !== 0) stop();
      }
      // What lies under a patch that is taken back later can be taken away next time only.
      install();
      uninstall();
      expect(net.Socket.prototype.connect).toBe(pristine.connect);
      expect(Object.hasOwn(net.Socket.prototype, "write")).toBe(false);
    });

    it("gives what is passed through the errors of a real network", async () => {
      start();
      install();
      await using web = await listen(http.createServer((_request, response) => response.end("real")));
      for (const get of Object.values(mocks.clients)) {
        const scope = faultScope({ connectionError: { kind: "refused" } });
        const error = await scope
          .run(() => get(`http://127.0.0.1:${web.port}/`))
          .then(
            () => undefined,
            (reason: Error) => reason,
          );
        const { code, syscall, address } = (error?.cause ?? error ?? {}) as NodeJS.ErrnoException & { address?: string };
        expect({ code, syscall, address }).toEqual({ code: "ECONNREFUSED", syscall: "connect", address: "127.0.0.1" });
        expect(isInjected(error)).toBe(true);
        expect(web.accepted()).toBe(0);
      }
    });

    const { "http.get": get } = mocks.clients;
    if (get !== httpGet) return;

    for (const [order, begin] of [
      ["first", () => (install({ steer: "always" }), start())],
      ["second", () => (start(), install({ steer: "always" }))],
    ] as const) {
      it(`that is installed ${order} governs a request on a kept connection by its own scope, and not what is mocked there`, async () => {
        begin();
        await using web = await listen(http.createServer((_request, response) => response.end("real")));
        const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
        const url = `http://localhost:${web.port}`;
        await httpGet(`${url}/`, { agent });
        const scopes = [2, 4, 8].map((latencyMs) => ({ latencyMs, scope: faultScope({ latency: `${latencyMs}ms` }) }));
        const calls = scopes.map(({ scope }) => scope.run(() => httpGet(`${url}/`, { agent })));
        expect(await Promise.all([...calls, httpGet(`${url}/`, { agent })])).toEqual(["real", "real", "real", "real"]);
        for (const { latencyMs, scope } of scopes) {
          const { flows, faults, unsteered } = scope.report();
          const { count, delayMs } = faults["latency"] ?? { count: 0, delayMs: 0 };
          expect({ unsteered, flows: flows.length, delayMs }).toEqual({ unsteered: 0, flows: 1, delayMs: count * latencyMs });
          // MSW 2 passes each request on by a connection of its own.
          expect(count).toBe(tool === "MSW" ? 4 : 2);
        }
        const { text, report } = await watch(() => httpGet(`${url}/half`, { agent }), { connectionError: { kind: "reset" } });
        expect({ text, injected: report.injected, flows: report.flows }).toEqual({ text: "mocked", injected: 0, flows: [] });
        agent.destroy();
      });

      it(`that is installed ${order} binds what is no HTTP to whoever writes it`, async () => {
        begin();
        await using peer = await echo();
        const line = await talk({ port: peer.port, host: "localhost" });
        expect(await line.ask("first")).toBe("first");
        for (let n = 0; n < 2; n++) {
          const { text, report } = await watch(() => line.ask(`line ${n}`));
          expect(text).toBe(`line ${n}`);
          expect(report).toMatchObject({ unsteered: 0, faults: { latency: { count: 2, delayMs: 2 * LATENCY_MS } } });
        }
        expect(peer.accepted()).toBe(1);
        await line.close();
      });

      it(`that is installed ${order} faults TLS that is passed through once`, async () => {
        begin();
        await using web = await listen(https.createServer(localhost, (_request, response) => response.end("real")));
        const { text, report } = await watch(() => httpGet(`https://localhost:${web.port}/`), { targets: [{ hostname: "localhost" }] });
        expect(text).toBe("real");
        expect(report).toMatchObject({ unsteered: 0, unmatchedRules: [], flows: [{ target: "localhost:#0", governed: true }] });
        expect(web.accepted()).toBe(1);
      });
    }
  });
}
