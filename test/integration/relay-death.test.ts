import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import net from "node:net";
import tls from "node:tls";
import { install, uninstall, withFaults } from "faultcore";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { authority, localhost } from "../helpers/certificates.mjs";
import { takeWarnings } from "../helpers/fail-on-warning.ts";
import { echo, listen, serve } from "../helpers/peers.ts";
import { fixture, jsonLines, node } from "../helpers/programs.ts";
import { runtime, until } from "../helpers/runtime.ts";

/** How a socket ended, in the program's eyes. */
interface Ending {
  readonly ended: boolean;
  readonly code: string | undefined;
}

/** Watches a stream until it closes. */
function ending(stream: NodeJS.ReadableStream): Promise<Ending> {
  return new Promise((resolve) => {
    let ended = false;
    let code: string | undefined;
    stream.on("end", () => (ended = true));
    stream.on("error", (error: NodeJS.ErrnoException) => (code ??= error.code ?? error.name));
    stream.on("close", () => resolve({ ended, code }));
    stream.resume();
  });
}

const DEATHS: Readonly<Record<string, () => Promise<void>>> = {
  "terminate()": async () => {
    const { host } = (await runtime()).client();
    await host.stop();
  },
  "an uncaught exception": async () => {
    const { host } = (await runtime()).client();
    host.post(null as never);
    await until("the relay's thread is gone", () => !host.running);
  },
};

beforeAll(() => install({ steer: "always" }));
afterAll(() => uninstall());

const roundTrip = async (port: number): Promise<string> => {
  const socket = net.connect({ port, host: "127.0.0.1" });
  socket.write("hello");
  const [data] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  await once(socket, "close");
  return data.toString();
};

/** Opens a connection that is in use, and gives what it will come to. */
const FLOWS: Readonly<Record<string, () => Promise<{ ending: Promise<Ending>; close: () => Promise<void> }>>> = {
  "a plain": async () => {
    const peer = await echo();
    const socket = net.connect({ port: peer.port, host: "127.0.0.1" });
    socket.write("x");
    await once(socket, "data");
    return { ending: ending(socket), close: async () => peer[Symbol.asyncDispose]() };
  },
  "a TLS": async () => {
    const peer = await listen(tls.createServer(localhost, (socket) => socket.on("error", () => {}).pipe(socket)));
    const socket = tls.connect({ port: peer.port, host: "127.0.0.1", ca: authority });
    socket.write("x");
    await once(socket, "data");
    return { ending: ending(socket), close: async () => peer[Symbol.asyncDispose]() };
  },
  "a STARTTLS-upgraded": async () => {
    const peer = await serve((socket) => {
      socket.once("data", () => {
        socket.write("220 go ahead");
        const secure = new tls.TLSSocket(socket, { isServer: true, ...localhost });
        secure.on("error", () => {}).pipe(secure);
      });
    });
    const plain = net.connect({ port: peer.port, host: "127.0.0.1" });
    plain.write("STARTTLS");
    await once(plain, "data");
    const socket = tls.connect({ socket: plain, ca: authority, servername: "localhost" });
    socket.write("x");
    await once(socket, "data");
    return { ending: ending(socket), close: async () => peer[Symbol.asyncDispose]() };
  },
  "an h2": async () => {
    const server = http2.createServer();
    server.on("session", (session) => session.on("error", () => {}));
    server.on("stream", (stream) => {
      stream.on("error", () => {});
      stream.respond();
      stream.write("first part");
    });
    const peer = await listen(server);
    const session = http2.connect(`http://127.0.0.1:${peer.port}`);
    session.on("error", () => {});
    const request = session.request({ ":path": "/" });
    await once(request, "response");
    return {
      ending: ending(request),
      close: () => {
        session.destroy();
        return Promise.resolve(peer[Symbol.asyncDispose]());
      },
    };
  },
  "an HTTP/1.1": async () => {
    const peer = await listen(
      http.createServer((_request, response) => {
        response.write("first part");
      }),
    );
    const request = http.get({ port: peer.port, host: "127.0.0.1", agent: false });
    request.on("error", () => {});
    const [response] = (await once(request, "response")) as [http.IncomingMessage];
    return { ending: ending(response), close: async () => peer[Symbol.asyncDispose]() };
  },
  "a still-dialling": async () => {
    const peer = await echo();
    // The scope lasts as long as the socket that it returns.
    const socket = withFaults({ latency: "10m" }, () => net.connect({ port: peer.port, host: "127.0.0.1" }));
    const over = ending(socket);
    // The relay knows of it: it has answered for a later connection.
    await roundTrip(peer.port);
    expect(socket.connecting).toBe(true);
    return { ending: over, close: async () => peer[Symbol.asyncDispose]() };
  },
};

for (const [how, kill] of Object.entries(DEATHS)) {
  describe(`a relay that dies of ${how}`, () => {
    for (const [which, open] of Object.entries(FLOWS)) {
      it(`fails ${which} connection with an error, never a clean end`, async () => {
        const flow = await open();
        await kill();
        const { ended, code } = await flow.ending;
        expect({ ended, code }).toEqual({ ended: false, code: expect.stringMatching(/^ECONNRESET$|^ERR_HTTP2_|^EPIPE$/) });
        await flow.close();
        const warnings = await takeWarnings();
        expect(warnings.map((warning) => (warning as { code?: string }).code)).toEqual(["FAULTCORE_RELAY_DIED"]);
        expect((await runtime()).table().flowsLive()).toBe(0);
      });
    }

    it("does not end a download cleanly whose last bytes it has not written", async () => {
      // More than the kernel takes for a program that does not read, and not more than that and the window.
      const bytes = 7_000_000;
      await using witness = await echo();
      await using peer = await serve((socket) => void socket.once("data", () => socket.end(Buffer.alloc(bytes))));
      const socket = net.connect({ port: peer.port, host: "127.0.0.1" });
      socket.write("x");
      await once(socket, "readable");
      socket.pause();
      const [server] = [...peer.sockets];
      // The relay has them, and the end behind them, after some more turns of its loop.
      await until("the peer has sent everything", () => server?.writableFinished === true);
      for (let trip = 0; trip < 50; trip++) await roundTrip(witness.port);
      await kill();
      let received = 0;
      socket.on("data", (chunk: Buffer) => (received += chunk.length));
      const { ended, code } = await ending(socket);
      expect({ ended, code }).toEqual({ ended: false, code: "ECONNRESET" });
      expect(received).toBeLessThan(bytes);
      await takeWarnings();
    });

    it("is replaced for the next connect", async () => {
      await using peer = await echo();
      expect(await roundTrip(peer.port)).toBe("hello");
      await kill();
      expect(await roundTrip(peer.port)).toBe("hello");
      await takeWarnings();
    });
  });
}

it("A connect in the very tick in which the relay is ended fails with an error or works, and never hangs", async () => {
  await using peer = await echo();
  await roundTrip(peer.port);
  const dying = DEATHS["terminate()"]!();
  const outcomes = Array.from({ length: 200 }, async () => {
    const socket = net.connect({ port: peer.port, host: "127.0.0.1" });
    try {
      await once(socket, "connect");
      return "connected";
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    } finally {
      socket.destroy();
    }
  });
  await dying;
  for (const outcome of await Promise.all(outcomes)) expect(outcome).toMatch(/^(connected|ECONNRESET|ERR_FAULTCORE_RELAY)$/);
  expect(await roundTrip(peer.port)).toBe("hello");
  const live = await runtime();
  await until("no row is left", () => live.table().flowsLive() === 0);
  await takeWarnings();
});

it("A connect that waits for a relay which is ended before it listens fails with an error or gets the next relay", async () => {
  await using peer = await echo();
  const { host } = (await runtime()).client();
  await host.stop();
  host.start();
  const stopped = host.stop();
  const outcome = await roundTrip(peer.port).catch((error: NodeJS.ErrnoException) => error.code);
  expect(outcome).toMatch(/^(hello|ERR_FAULTCORE_RELAY)$/);
  await stopped;
  expect(await roundTrip(peer.port)).toBe("hello");
  await takeWarnings();
});

it("A scope that is live when the relay dies faults the connections of the next relay too", async () => {
  await using peer = await echo();
  await withFaults({ latency: "30ms" }, async () => {
    await roundTrip(peer.port);
    await DEATHS["terminate()"]!();
    const began = performance.now();
    expect(await roundTrip(peer.port)).toBe("hello");
    // Two round trips: the connect and the echo.
    expect(performance.now() - began).toBeGreaterThanOrEqual(119);
  });
  await takeWarnings();
});

it("A relay that runs out of memory fails its connections with an error, and the program goes on with a fresh one", async () => {
  await using peer = await echo();
  const ended = await node(["--max-old-space-size=64", fixture("relay-out-of-memory"), String(peer.port)]);
  expect(jsonLines(ended)).toEqual([{ ended: false, code: "ECONNRESET" }, { again: "hello" }]);
  expect(ended.stderr).toContain("FAULTCORE_RELAY_DIED");
});
