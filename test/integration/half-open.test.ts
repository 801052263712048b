import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import { constants } from "node:os";
import pg from "pg";
import { Agent, fetch as undiciFetch } from "undici";
import { faultScope, install, isInjected, reset, uninstall, withFaults } from "faultcore";
import type { FaultScope, PolicyFields } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { failureOf, nowMs } from "../helpers/measure.ts";
import { listen, serve } from "../helpers/peers.ts";
import type { Peer } from "../helpers/peers.ts";
import { until, runtime } from "../helpers/runtime.ts";
import { startPostgres } from "../helpers/servers.ts";
import { talk } from "../helpers/worker-peer.ts";

type Failure = Exclude<NonNullable<PolicyFields["halfOpen"]>["error"], "silent" | undefined>;
const CODES: Readonly<Record<Failure, "ECONNRESET" | "EHOSTUNREACH">> = {
  reset: "ECONNRESET",
  refused: "ECONNRESET",
  unreachable: "EHOSTUNREACH",
};
const failures = Object.keys(CODES) as Failure[];
const silent: PolicyFields = { halfOpen: { error: "silent" } };

/** A server that counts what it gets, answers each chunk with as many bytes, and notes how its connections end. */
async function counting(): Promise<Peer & { readonly got: () => number; readonly ends: string[] }> {
  let got = 0;
  const ends: string[] = [];
  const peer = await serve((socket) => {
    socket.on("data", (chunk) => {
      got += chunk.length;
      socket.write(chunk);
    });
    socket.on("end", () => ends.push("end"));
    socket.on("error", (error: NodeJS.ErrnoException) => ends.push(error.code ?? ""));
  });
  return Object.assign(peer, { got: () => got, ends });
}

/** A connection that counts what it gets; `failed` has its error. */
async function connect(peer: Peer): Promise<{ socket: net.Socket; got: () => number; failed: Promise<NodeJS.ErrnoException> }> {
  let got = 0;
  const socket = net.connect({ port: peer.port, host: "127.0.0.1", noDelay: true });
  onTestFinished(() => void socket.destroy());
  socket.on("data", (chunk) => (got += chunk.length));
  const failed = new Promise<NodeJS.ErrnoException>((resolve) => socket.once("error", resolve));
  await once(socket, "connect");
  return { socket, got: () => got, failed };
}

function expectReadError(error: NodeJS.ErrnoException, code: "ECONNRESET" | "EHOSTUNREACH" | "ETIMEDOUT"): void {
  expect({ ...error }).toEqual({ errno: -constants.errno[code], code, syscall: "read" });
  expect(error.message).toBe(`read ${code}`);
  expect(isInjected(error)).toBe(true);
}

/** The flow has gone silent, and its event has come: the count is there before. */
const silenced = (scope: FaultScope): Promise<void> => until("the event", () => scope.report().faults["half_open"]?.held === 1);

beforeAll(() => install({ steer: "always" }));
afterEach(() => reset());
afterAll(() => uninstall());

describe("half_open with an error", () => {
  for (const error of failures) {
    it(`${error}: after exactly \`after\` bytes, both directions together, a fresh flow fails with read ${CODES[error]}`, async () => {
      await using peer = await counting();
      const scope = faultScope({ halfOpen: { after: "250b", error } });
      await scope.run(async () => {
        const { socket, got, failed } = await connect(peer);
        socket.write(Buffer.alloc(100));
        await until("the first answer", () => got() === 100);
        socket.write(Buffer.alloc(100));
        expectReadError(await failed, CODES[error]);
        await until("the peer's reset", () => peer.ends.length > 0);
        expect([peer.got(), got()]).toEqual([150, 100]);
      });
      expect(peer.ends).toEqual(["ECONNRESET"]);
      expect(scope.report().faults["half_open"]).toMatchObject({ count: 1, codes: { [CODES[error]]: 1 } });
    });
  }

  it("delivers the bytes within the limit with their delays first, and fails when the news has travelled", async () => {
    await using peer = await counting();
    await withFaults({ latency: "40ms", halfOpen: { after: "10b" } }, async () => {
      const { socket, got, failed } = await connect(peer);
      const began = nowMs();
      socket.write(Buffer.alloc(20));
      expectReadError(await failed, "ECONNRESET");
      expect(nowMs() - began).toBeGreaterThanOrEqual(80);
      await until("the peer's reset", () => peer.ends.length > 0);
      expect([peer.got(), got()]).toEqual([10, 0]);
    });
  });

  it("in the middle of a download: every byte within the limit reaches the program", async () => {
    const LIMIT = 3_000_000;
    await using peer = await serve((socket) => void socket.once("data", () => socket.write(Buffer.alloc(2 * LIMIT, "x"))));
    await withFaults({ halfOpen: { after: `${LIMIT}b` } }, async () => {
      const { socket, got, failed } = await connect(peer);
      socket.write("g");
      expectReadError(await failed, "ECONNRESET");
      expect(got()).toBe(LIMIT - 1);
    });
  });

  it("without `after` lets no byte pass: a fresh flow connects and fails at its first use", async () => {
    await using peer = await counting();
    await withFaults({ halfOpen: { error: "unreachable" } }, async () => {
      const { socket, failed } = await connect(peer);
      socket.write("x");
      expectReadError(await failed, "EHOSTUNREACH");
      expect(peer.got()).toBe(0);
    });
  });

  it("counts from the binding on a flow that was open before", async () => {
    await using peer = await counting();
    const { socket, got, failed } = await connect(peer);
    socket.write(Buffer.alloc(1000));
    await until("the answer", () => got() === 1000);
    await withFaults({ halfOpen: { after: "8b" } }, async () => {
      socket.write(Buffer.alloc(10));
      expectReadError(await failed, "ECONNRESET");
      await until("the peer's reset", () => peer.ends.length > 0);
      expect(peer.got()).toBe(1008);
    });
  });

  it("a pooled http connection fails once, and the next request gets a fresh one", async () => {
    await using peer = await listen(http.createServer((_request, response) => response.end("ok")));
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const get = async (): Promise<void> => {
      const [response] = (await once(http.get({ port: peer.port, host: "127.0.0.1", agent }), "response")) as [http.IncomingMessage];
      response.resume();
      await once(response, "end");
    };
    await get();
    const error = await failureOf(withFaults({ halfOpen: { after: "1b", error: "unreachable" } }, get));
    expectReadError(error, "EHOSTUNREACH");
    await get();
    expect(peer.accepted()).toBe(2);
  });

  it("a pooled fetch connection fails, as the cause of its TypeError", async () => {
    await using peer = await listen(http.createServer((_request, response) => response.end("ok")));
    const url = `http://127.0.0.1:${peer.port}/`;
    await (await fetch(url)).text();
    const error = await failureOf(withFaults({ halfOpen: { after: "1b" } }, () => fetch(url, { method: "POST", body: "x" })));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.cause).toMatchObject({ code: "ECONNRESET", syscall: "read" });
    expect(isInjected(error)).toBe(true);
    expect(await (await fetch(url)).text()).toBe("ok");
  });
});

describe("half_open silent", () => {
  it("a fresh connect succeeds, and nothing passes from the first byte on: no data, no FIN, no reset", async () => {
    await using peer = await counting();
    const scope = faultScope(silent);
    await scope.run(async () => {
      const { socket } = await connect(peer);
      let ended = false;
      socket.on("close", () => (ended = true));
      socket.write("x");
      socket.end();
      await silenced(scope);
      expect(scope.report().faults["half_open"]).toMatchObject({ count: 1, held: 1, codes: {} });
      // New connects are not affected: by the time that this one is there, what could pass would have passed.
      const other = await talk({ port: peer.port, host: "127.0.0.1" });
      await other.close();
      expect([peer.got(), peer.ends, ended]).toEqual([0, [], false]);
    });
  });

  it("lets exactly `after` bytes pass, and the connection's own timeout fires", async () => {
    await using peer = await counting();
    await withFaults({ halfOpen: { after: "150b", error: "silent" } }, async () => {
      const { socket, got } = await connect(peer);
      socket.write(Buffer.alloc(100));
      await until("the limit", () => got() === 50);
      socket.setTimeout(60);
      await once(socket, "timeout");
      expect([peer.got(), got(), peer.ends]).toEqual([100, 50, []]);
    });
  });

  it("takes what the program writes until back-pressure", async () => {
    await using peer = await counting();
    await withFaults(silent, async () => {
      const { socket } = await connect(peer);
      while (socket.write(Buffer.alloc(1_000_000))) await new Promise<void>((resolve) => setImmediate(resolve));
      for (let n = 0; n < 20; n++) socket.write(Buffer.alloc(1_000_000));
      socket.setTimeout(60);
      await once(socket, "timeout");
      expect(socket.writableNeedDrain).toBe(true);
      expect(peer.got()).toBe(0);
    });
  });

  it("a recv timeout of the policy still fires", async () => {
    await using peer = await counting();
    await withFaults({ ...silent, timeout: { recv: "70ms" } }, async () => {
      const { socket, failed } = await connect(peer);
      const began = nowMs();
      socket.write("x");
      expectReadError(await failed, "ETIMEDOUT");
      expect(nowMs() - began).toBeGreaterThanOrEqual(70);
    });
  });

  it("lasts after the scope, until the program closes its socket: then everything is freed, and the peer sees a reset", async () => {
    await using peer = await counting();
    const { socket, got } = await connect(peer);
    socket.write("before");
    await until("the answer", () => got() === 6);
    const scope = faultScope(silent);
    await scope.run(async () => {
      socket.write("during");
      await silenced(scope);
    });
    socket.write("after");
    socket.setTimeout(60);
    await once(socket, "timeout");
    expect([peer.got(), got(), peer.ends]).toEqual([6, 6, []]);
    const client = (await runtime()).client();
    const before = client.openFlows;
    socket.destroy();
    await until("the peer's reset", () => peer.ends.length > 0);
    expect(peer.ends).toEqual(["ECONNRESET"]);
    await until("the flow's row", () => client.openFlows < before);
  });

  it("an end of the peer does not reach the program", async () => {
    await using peer = await serve((socket) => void socket.on("data", () => socket.end("bye")));
    await withFaults({ halfOpen: { after: "5b", error: "silent" } }, async () => {
      const { socket, got } = await connect(peer);
      let ended = false;
      socket.on("end", () => (ended = true));
      socket.write("hi");
      await until("the limit", () => got() === 3);
      socket.setTimeout(60);
      await once(socket, "timeout");
      expect(ended).toBe(false);
    });
  });

  it("a pooled undici connection hangs until the client's own timeout, and the next request is fine", async () => {
    await using peer = await listen(http.createServer((_request, response) => response.end("ok")));
    const dispatcher = new Agent({ headersTimeout: 150, connections: 1 });
    onTestFinished(() => dispatcher.destroy());
    const get = async (): Promise<string> => (await undiciFetch(`http://127.0.0.1:${peer.port}/`, { dispatcher })).text();
    expect(await get()).toBe("ok");
    const error = await failureOf(withFaults(silent, get));
    expect(error.cause).toMatchObject({ code: "UND_ERR_HEADERS_TIMEOUT" });
    expect(await get()).toBe("ok");
    expect(peer.accepted()).toBe(2);
  });

  it("pg: a query on a silent connection fails with the client's own timeout", async (context) => {
    const postgres = await startPostgres();
    if (postgres.skipped !== undefined) return context.skip(postgres.skipped);
    onTestFinished(() => postgres.stop());
    const pool = new pg.Pool({ connectionString: postgres.url, max: 1, query_timeout: 200 });
    pool.on("error", () => {});
    onTestFinished(() => pool.end());
    await pool.query("select 1");
    const error = await failureOf(withFaults(silent, () => pool.query("select 2")));
    expect(error.message).toBe("Query read timeout");
  });
});
