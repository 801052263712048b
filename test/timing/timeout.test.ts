import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import { constants } from "node:os";
import tls from "node:tls";
import { faultScope, install, isInjected, reset, uninstall, withFaults } from "faultcore";
import type { PolicyFields } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { authority, localhost } from "../helpers/certificates.mjs";
import { failureOf, figures, median, nowMs } from "../helpers/measure.ts";
import { echo, listen, serve } from "../helpers/peers.ts";
import type { Peer } from "../helpers/peers.ts";
import { converse, talk, workerPeer } from "../helpers/worker-peer.ts";

const RECV: PolicyFields = { timeout: { recv: "150ms" } };

/** What Node's own `read ETIMEDOUT` is. */
const readTimedOut = { errno: -constants.errno.ETIMEDOUT, code: "ETIMEDOUT", syscall: "read" };

/** Accepts, reads and never answers. */
const mute = (): Promise<Peer> => serve((socket) => socket.resume());

beforeAll(() => install({ steer: "always" }));
afterEach(() => reset());
afterAll(() => uninstall());

describe("timeout.connect", () => {
  it("fails a connect that is slower, when the time is over and not before", async () => {
    await using peer = await echo();
    const policy: PolicyFields = { latency: "200ms", timeout: { connect: "40ms" } };
    const times: number[] = [];
    for (let n = 0; n < 10; n++) {
      const began = nowMs();
      expect(await failureOf(withFaults(policy, () => talk({ port: peer.port, host: "127.0.0.1" })))).toMatchObject({
        code: "ETIMEDOUT",
        syscall: "connect",
        port: peer.port,
      });
      times.push(nowMs() - began);
    }
    console.log(`connect timeout of 40 ms: ${figures(times)} ms`);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(40);
    expect(median(times)).toBeLessThan(60);
    expect(peer.accepted()).toBe(0);
  });

  it("leaves a connect alone that is fast enough, also when its work takes longer afterwards", async () => {
    await using peer = await workerPeer("stamp");
    const scope = faultScope({ latency: "10ms", timeout: { connect: "1s" } });
    await scope.run(async () => {
      const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
      const until = nowMs() + 1000;
      while (nowMs() < until) await conversation.ask("x");
      await conversation.close();
    });
    expect(scope.report().silentFaults).toContain("timeout");
  });

  it("holds for each address that one connect() tries", async () => {
    await using peer = await echo();
    const addresses = [
      { address: "127.0.0.1", family: 4 },
      { address: "127.0.0.2", family: 4 },
    ];
    const began = nowMs();
    const error = await failureOf(
      withFaults({ latency: "200ms", timeout: { connect: "30ms" } }, () =>
        talk({
          port: peer.port,
          host: "two.test",
          autoSelectFamily: true,
          lookup: (_name, _options, done) => done(null, addresses),
        }),
      ),
    );
    expect(nowMs() - began).toBeGreaterThanOrEqual(60);
    expect(error).toBeInstanceOf(AggregateError);
    expect(error.code).toBe("ETIMEDOUT");
    const { errors } = error as unknown as { errors: NodeJS.ErrnoException[] };
    expect(errors.map((each) => [each.code, (each as { address?: string }).address])).toEqual([
      ["ETIMEDOUT", "127.0.0.1"],
      ["ETIMEDOUT", "127.0.0.2"],
    ]);
    expect(isInjected(error)).toBe(true);
  });
});

describe("timeout.recv", () => {
  it("fails the read with Node's own error when nothing came back in time", async () => {
    await using peer = await mute();
    const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
    const began = nowMs();
    const error = await failureOf(withFaults(RECV, () => conversation.ask("x")));
    expect(nowMs() - began).toBeGreaterThanOrEqual(150);
    expect({ ...error }).toEqual(readTimedOut);
    expect(error.message).toBe("read ETIMEDOUT");
    expect(error.constructor).toBe(Error);
    expect(Object.keys(error)).toEqual(["errno", "code", "syscall"]);
    expect(isInjected(error)).toBe(true);
    expect(conversation.socket.destroyed).toBe(true);
    await conversation.close();
  });

  it("does not disturb operations that are fast enough, nor idleness between them", async () => {
    await using peer = await workerPeer("stamp");
    const scope = faultScope({ latency: "5ms", ...RECV });
    await scope.run(async () => {
      const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
      for (let round = 0; round < 3; round++) {
        await conversation.ask("x");
        // Idle for longer than the timeout, with the clock of another connection.
        const until = nowMs() + 220;
        const other = await talk({ port: peer.port, host: "127.0.0.1" });
        while (nowMs() < until) await other.ask("x");
        await other.close();
      }
      await conversation.close();
    });
    expect(scope.report().faults["timeout"]).toBeUndefined();
  });

  it("is not armed by a connection that the program has not written to", async () => {
    await using peer = await workerPeer("stamp");
    await withFaults(RECV, async () => {
      const silent = await talk({ port: peer.port, host: "127.0.0.1" });
      const other = await talk({ port: peer.port, host: "127.0.0.1" });
      const until = nowMs() + 220;
      while (nowMs() < until) await other.ask("x");
      await silent.ask("still there");
      await other.close();
      await silent.close();
    });
  });

  it("is disarmed by the first byte back, however slow the rest is", async () => {
    const rest: (() => void)[] = [];
    await using peer = await serve((socket) => {
      socket.once("data", () => {
        socket.write("first ");
        rest.push(() => socket.write("rest\n"));
      });
    });
    await using clock = await workerPeer("stamp");
    await withFaults(RECV, async () => {
      const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
      const other = await talk({ port: clock.port, host: "127.0.0.1" });
      const answer = conversation.ask("x");
      const until = nowMs() + 220;
      while (nowMs() < until) await other.ask("x");
      for (const finish of rest) finish();
      expect(await answer).toBe("first rest");
      await other.close();
      await conversation.close();
    });
  });

  it("is not armed by what a program writes while it reads: a pong waits for no answer", async () => {
    await using peer = await serve((socket) => {
      socket.once("data", () => {
        socket.write("ping\n");
        socket.resume();
      });
    });
    await using clock = await workerPeer("stamp");
    await withFaults(RECV, async () => {
      const socket = net.connect({ port: peer.port, host: "127.0.0.1" });
      await once(socket, "connect");
      const ponged = new Promise((resolve) => socket.once("data", () => resolve(socket.write("pong\n"))));
      socket.write("hello\n");
      await ponged;
      const other = await talk({ port: clock.port, host: "127.0.0.1" });
      const until = nowMs() + 220;
      while (nowMs() < until) await other.ask("x");
      expect(socket.destroyed).toBe(false);
      socket.destroy();
      await other.close();
    });
  });

  it("counts the delays of the policy itself: a round trip that is longer always fails, at the timeout", async () => {
    await using peer = await workerPeer("stamp");
    const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
    const began = nowMs();
    const error = await failureOf(withFaults({ latency: "300ms", ...RECV }, () => conversation.ask("x")));
    const elapsed = nowMs() - began;
    expect(error).toMatchObject(readTimedOut);
    expect(elapsed).toBeGreaterThanOrEqual(150);
    expect(elapsed).toBeLessThan(600);
  });

  it("fails an http request that is not answered, and only that one", async () => {
    await using peer = await listen(
      http.createServer((request, response) => {
        if (request.url === "/fast") response.end("ok");
      }),
    );
    const get = async (path: string): Promise<void> => {
      const request = http.get({ port: peer.port, host: "127.0.0.1", path, agent: false });
      const [response] = (await once(request, "response")) as [http.IncomingMessage];
      response.resume();
      await once(response, "close");
    };
    await withFaults(RECV, async () => {
      const slow = failureOf(get("/slow"));
      await get("/fast");
      const error = await slow;
      expect({ ...error }).toEqual(readTimedOut);
      expect(isInjected(error)).toBe(true);
    });
  });

  it("under TLS waits for the program's own data: the handshake and session tickets are no answer", async () => {
    await using peer = await listen(
      tls.createServer({ ...localhost, minVersion: "TLSv1.3" }, (socket) => socket.on("error", () => {}).resume()),
    );
    await withFaults(RECV, async () => {
      const socket = tls.connect({ port: peer.port, host: "127.0.0.1", ca: authority });
      await once(socket, "secureConnect");
      const conversation = converse(socket);
      const began = nowMs();
      const error = await failureOf(conversation.ask("x"));
      expect(nowMs() - began).toBeGreaterThanOrEqual(145);
      expect({ ...error }).toEqual(readTimedOut);
      expect(error.message).toBe("read ETIMEDOUT");
      expect(isInjected(error)).toBe(true);
      await conversation.close();
    });
  });

  it("under TLS leaves an exchange alone that is answered in time", async () => {
    await using peer = await listen(tls.createServer(localhost, (socket) => socket.on("error", () => {}).pipe(socket)));
    await using clock = await workerPeer("stamp");
    await withFaults(RECV, async () => {
      const socket = tls.connect({ port: peer.port, host: "127.0.0.1", ca: authority });
      await once(socket, "secureConnect");
      const conversation = converse(socket);
      const other = await talk({ port: clock.port, host: "127.0.0.1" });
      for (let round = 0; round < 2; round++) {
        expect(await conversation.ask("x")).toBe("x");
        const until = nowMs() + 220;
        while (nowMs() < until) await other.ask("x");
      }
      await other.close();
      await conversation.close();
    });
  });

  it("on HTTP/2 runs from each request to its own first header", async () => {
    const server = http2.createServer();
    server.on("session", (session) => session.on("error", () => {}));
    server.on("stream", (stream, headers) => {
      stream.on("error", () => {});
      if (headers[":path"] === "/fast") {
        stream.respond();
        stream.end("ok");
      }
    });
    await using peer = await listen(server);
    const session = http2.connect(`http://127.0.0.1:${peer.port}`);
    const sessionError = new Promise<NodeJS.ErrnoException>((resolve) => session.once("error", resolve));
    await once(session, "remoteSettings");
    const began = nowMs();
    const answered = await withFaults(RECV, async () => {
      const mute2 = session.request({ ":path": "/slow" });
      mute2.on("error", () => {});
      const closed = new Promise((resolve) => mute2.once("close", resolve));
      // Answers to other requests do not count for this one.
      let fast = 0;
      for (; fast < 2; fast++) {
        const stream = session.request({ ":path": "/fast" });
        stream.resume();
        await once(stream, "end");
      }
      await closed;
      return fast;
    });
    expect(nowMs() - began).toBeGreaterThanOrEqual(150);
    expect(answered).toBe(2);
    const error = await sessionError;
    expect(error).toMatchObject(readTimedOut);
    expect(isInjected(error)).toBe(true);
    session.destroy();
  });

  it("records what it did", async () => {
    await using peer = await mute();
    const scope = faultScope(RECV);
    await failureOf(
      scope.run(async () => {
        const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
        await conversation.ask("x");
      }),
    );
    expect(scope.report().faults["timeout"]).toMatchObject({ count: 1, codes: { ETIMEDOUT: 1 } });
  });
});
