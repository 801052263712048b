// Tools that wrap functions of net, http and dns to watch a program, as monitoring agents do: they see each call once, faults act once, and
// either can come and go first.
import dns from "node:dns";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import tls from "node:tls";
import { faultScope, install, reset, uninstall } from "faultcore";
import { afterEach, describe, expect, it } from "vitest";
import { authority, localhost } from "../helpers/certificates.mjs";
import { findTcp } from "../../src/steer/node-internals.ts";
import { listen } from "../helpers/peers.ts";

const LATENCY_MS = 5;

type Wrapped = ((this: unknown, ...args: unknown[]) => unknown) & { __original?: unknown };

/** What agents wrap, by the name under which calls are counted. */
const TARGETS: readonly (readonly [name: string, object: object, method: string])[] = [
  ["net.connect", net, "connect"],
  ["Socket.connect", net.Socket.prototype, "connect"],
  ["Socket.write", net.Socket.prototype, "write"],
  ["Socket.end", net.Socket.prototype, "end"],
  ["tls.connect", tls, "connect"],
  ["http.request", http, "request"],
  ["http.get", http, "get"],
  ["Agent.createConnection", http.Agent.prototype, "createConnection"],
  ["dns.lookup", dns, "lookup"],
];

class Agent {
  readonly calls: string[] = [];
  readonly #undo: (() => void)[] = [];
  readonly #marked: boolean;

  /** `marked`: the wrappers say what they wrap, as those of shimmer do. */
  constructor(marked: boolean) {
    this.#marked = marked;
  }

  start(): void {
    for (const [label, object, method] of TARGETS) {
      const target = object as Record<string, Wrapped>;
      const original = target[method] as Wrapped;
      const { calls } = this;
      const wrapper: Wrapped = function (...args) {
        if (!isServerSide(this)) calls.push(label);
        return Reflect.apply(original, this, args);
      };
      if (this.#marked) wrapper.__original = original;
      target[method] = wrapper;
      // Without looking what stands there by then.
      this.#undo.push(() => (target[method] = original));
    }
  }

  stop(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }
}

/** The test's own server writes too. */
function isServerSide(self: unknown): boolean {
  return self instanceof net.Socket && Boolean((self as { server?: unknown }).server);
}

function answerOf(send: (answered: (response: http.IncomingMessage) => void) => http.ClientRequest): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = send((response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve(text));
    });
    request.on("error", reject);
    request.end();
  });
}

const web = await listen(http.createServer((_request, response) => response.end("real")));
const secure = await listen(https.createServer(localhost, (_request, response) => response.end("real")));
const url = `http://localhost:${web.port}/`;

const get = (): Promise<string> => answerOf((answered) => http.get(url, { agent: new http.Agent() }, answered));

/** The ways to connect, by the outermost function that they call. */
const CLIENTS: Readonly<Record<string, () => Promise<string>>> = {
  "http.get": get,
  "http.request": () => answerOf((answered) => http.request(url, { agent: new http.Agent() }, answered)),
  "https.request": () =>
    answerOf((answered) => https.request(`https://localhost:${secure.port}/`, { agent: false, ca: authority }, answered)),
  "net.connect": async () => {
    const socket = net.connect(web.port, "localhost");
    socket.setEncoding("utf8").write("GET / HTTP/1.0\r\n\r\n");
    const chunks = (await socket.toArray()) as string[];
    return chunks.join("").split("\r\n\r\n")[1] ?? "";
  },
};

async function expectFaultedOnce(): Promise<void> {
  for (const [client, call] of Object.entries(CLIENTS)) {
    const scope = faultScope({ latency: `${LATENCY_MS}ms`, targets: ["localhost"] });
    expect(await scope.run(call)).toBe("real");
    const { flows, faults, unsteered, unmatchedRules } = scope.report();
    expect(flows.map(({ target, governed }) => ({ target, governed }))).toEqual([{ target: "localhost:#0", governed: true }]);
    const { count, delayMs } = faults["latency"] ?? { count: 0, delayMs: 0 };
    // The connect and the request; TLS has a handshake between them.
    const least = client === "https.request" ? 6 : 4;
    expect({ client, unsteered, unmatchedRules, delayMs }).toEqual({
      client,
      unsteered: 0,
      unmatchedRules: [],
      delayMs: count * LATENCY_MS,
    });
    expect(count).toBeGreaterThanOrEqual(least);
    expect(count).toBeLessThan(2 * least);
  }
}

/** Whether Node ends a socket once or twice depends on when the peer's end comes. */
function withoutEnds(calls: readonly string[]): string[] {
  return calls.filter((name) => name !== "Socket.end");
}

const running = new Set<Agent>();
afterEach(() => {
  for (const agent of running) agent.stop();
  running.clear();
  reset();
  uninstall();
});

/** What an agent sees where there is no faultcore. */
async function callsWithout(): Promise<string[]> {
  const agent = new Agent(false);
  agent.start();
  for (const call of Object.values(CLIENTS)) await call();
  agent.stop();
  return agent.calls;
}

for (const marked of [true, false]) {
  describe(`wrappers that ${marked ? "say what they wrap" : "say nothing"}`, () => {
    function begin(first: "agent" | "faultcore"): Agent {
      const agent = new Agent(marked);
      running.add(agent);
      if (first === "faultcore") install();
      agent.start();
      install();
      return agent;
    }

    for (const first of ["agent", "faultcore"] as const) {
      it(`see each call once when ${first} comes first, and faults act once`, async () => {
        const expected = await callsWithout();
        expect(new Set(expected)).toEqual(new Set(TARGETS.map(([name]) => name)));
        const agent = begin(first);
        await expectFaultedOnce();
        expect(withoutEnds(agent.calls)).toEqual(withoutEnds(expected));
      });

      it(`may go first when ${first} came first: faults still act once, also on what is open already`, async () => {
        install({ steer: "always" });
        uninstall();
        const agent = begin(first);
        install({ steer: "always" });
        const agents = new http.Agent({ keepAlive: true, maxSockets: 1 });
        const ask = (): Promise<string> => answerOf((answered) => http.get(url, { agent: agents }, answered));
        await ask();
        agent.stop();
        await expectFaultedOnce();
        const scope = faultScope({ latency: `${LATENCY_MS}ms` });
        await scope.run(ask);
        expect(scope.report()).toMatchObject({ unsteered: 0, faults: { latency: { count: 2 } } });
        agents.destroy();
      });

      it(`stay when faultcore goes, and ${first} came first`, async () => {
        const expected = await callsWithout();
        const agent = begin(first);
        uninstall();
        for (const call of Object.values(CLIENTS)) await call();
        expect(withoutEnds(agent.calls)).toEqual(withoutEnds(expected));
        await expectFaultedOnce();
      });
    }

    it("leave the methods as they were, however often both come and go", () => {
      // What an earlier test left under a wrapper goes with the next patches.
      install();
      uninstall();
      const before = TARGETS.map(([, object, method]) => (object as Record<string, unknown>)[method]);
      for (let n = 0; n < 8; n++) {
        const agent = begin(n % 2 === 0 ? "agent" : "faultcore");
        if (n % 4 < 2) agent.stop();
        uninstall();
        agent.stop();
      }
      install();
      uninstall();
      expect(TARGETS.map(([, object, method]) => (object as Record<string, unknown>)[method])).toEqual(before);
    });
  });
}

it("A lookup that is wrapped, by a wrapper that says so, is failed and kept back as any other", async () => {
  const agent = new Agent(true);
  running.add(agent);
  agent.start();
  install();
  const scope = faultScope({ dns: { nxdomain: "100%" }, targets: ["localhost"] });
  await expect(scope.run(get)).rejects.toMatchObject({ code: "ENOTFOUND", syscall: "getaddrinfo", hostname: "localhost" });
  expect(scope.report().faults["dns"]).toMatchObject({ count: 1 });
  expect(agent.calls.filter((name) => name === "dns.lookup")).toHaveLength(1);
});

it("A wrapper of what is below sockets may stay in between while faultcore goes and comes: connections are diverted once", async () => {
  install();
  const { TCP } = findTcp();
  const { connect } = TCP.prototype;
  TCP.prototype.connect = function (...args) {
    return connect.apply(this, args);
  };
  uninstall();
  install();
  await expectFaultedOnce();
  uninstall();
  TCP.prototype.connect = connect;
  await expectFaultedOnce();
});
