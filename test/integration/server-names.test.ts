import { once } from "node:events";
import http2 from "node:http2";
import https from "node:https";
import net from "node:net";
import tls from "node:tls";
import { faultScope, install, isInjected, reset, uninstall } from "faultcore";
import type { FaultScope, PolicyFields } from "faultcore";
import { Agent, fetch as undiciFetch } from "undici";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { authority, first, localhost, second } from "../helpers/certificates.mjs";
import { failureOf, timed } from "../helpers/measure.ts";
import { listen, serve } from "../helpers/peers.ts";
import type { Peer } from "../helpers/peers.ts";
import { converse } from "../helpers/worker-peer.ts";

type Targets = NonNullable<PolicyFields["targets"]>;

const refusing = (...targets: Targets): FaultScope => faultScope({ connectionError: { kind: "refused" }, targets });

/** Speaks TLS under any name, and echoes. */
function secureEcho(): Promise<Peer> {
  const contexts: Record<string, tls.SecureContext> = {
    "first.test": tls.createSecureContext(first),
    "second.test": tls.createSecureContext(second),
  };
  const server = tls.createServer({ ...localhost, SNICallback: (name, done) => done(null, contexts[name]) }, (socket) => {
    socket.on("error", () => {}).pipe(socket);
  });
  return listen(server);
}

/** The hello that Node sends for a name. */
async function helloFor(servername: string | undefined): Promise<Buffer> {
  await using peer = await serve(() => {});
  const accepted = new Promise<Buffer>((resolve) => {
    void (async () => {
      while (peer.sockets.size === 0) await new Promise((next) => setImmediate(next));
      const [socket] = peer.sockets;
      socket!.once("data", resolve);
    })();
  });
  const client = tls.connect({ port: peer.port, host: "127.0.0.1", ...(servername === undefined ? {} : { servername }) });
  client.on("error", () => {});
  const hello = await accepted;
  client.destroy();
  return hello;
}

/** A plain connection, on which nobody waits for errors any more. */
async function connected(options: net.TcpNetConnectOpts): Promise<net.Socket> {
  const socket = net.connect(options);
  await once(socket, "connect");
  return socket.on("error", () => {});
}

async function secured(socket: tls.TLSSocket): Promise<tls.TLSSocket> {
  await once(socket, "secureConnect");
  return socket;
}

beforeAll(() => install());
afterEach(() => reset());
afterAll(() => uninstall());

describe("where the server name is known at the connect", () => {
  it("an sni rule governs from the connect on, and touches no other name", async () => {
    await using peer = await secureEcho();
    const open = (servername?: string): Promise<tls.TLSSocket> =>
      secured(
        tls.connect({
          port: peer.port,
          host: "127.0.0.1",
          ca: authority,
          checkServerIdentity: () => undefined,
          ...(servername === undefined ? {} : { servername }),
        }),
      );
    const scope = refusing({ sni: "first.test" }, { sni: "*.second.test" });
    await scope.run(async () => {
      const error = await failureOf(open("first.test"));
      expect(error).toMatchObject({ code: "ECONNREFUSED", syscall: "connect", port: peer.port });
      expect(isInjected(error)).toBe(true);
      for (const name of ["second.test", undefined]) (await open(name)).destroy();
      expect((await failureOf(open("a.b.second.test"))).code).toBe("ECONNREFUSED");
    });
    expect(scope.report().flows.map(({ governed, rule }) => [governed, rule?.index])).toEqual([
      [true, 0],
      [false, undefined],
      [false, undefined],
      [true, 1],
    ]);
    expect(scope.report().unmatchedRules).toEqual([]);
  });

  it("https, HTTP/2 and undici say it", async () => {
    const options = { ...first, allowHTTP1: true };
    await using peer = await listen(http2.createSecureServer(options, (_request, response) => response.end("ok")));
    const dispatcher = new Agent({ connect: { ca: authority, servername: "first.test" } });
    const ways: Record<string, () => Promise<unknown>> = {
      https: () =>
        once(https.get({ port: peer.port, host: "127.0.0.1", servername: "first.test", ca: authority, agent: false }), "response"),
      http2: () => once(http2.connect(`https://127.0.0.1:${peer.port}`, { servername: "first.test", ca: authority }), "connect"),
      undici: () => undiciFetch(`https://127.0.0.1:${peer.port}/`, { dispatcher }),
    };
    for (const [way, ask] of Object.entries(ways)) {
      const scope = refusing({ sni: "first.test" });
      const error = await failureOf(scope.run(ask));
      expect((error.cause as NodeJS.ErrnoException | undefined)?.code ?? error.code, `by ${way}`).toBe("ECONNREFUSED");
      expect(scope.report().injected, `by ${way}`).toBe(1);
    }
    await dispatcher.destroy();
  });
});

describe("where the hello says it", () => {
  it("an sni rule governs from there on: the connect was left alone, and the first use fails", async () => {
    await using peer = await secureEcho();
    const scope = refusing({ sni: "first.test" });
    await scope.run(async () => {
      const plain = await connected({ port: peer.port, host: "127.0.0.1" });
      const error = await failureOf(secured(tls.connect({ socket: plain, servername: "first.test", ca: authority })));
      expect(error.code).toBe("ECONNRESET");
      expect(isInjected(error)).toBe(true);
      const other = await connected({ port: peer.port, host: "127.0.0.1" });
      (await secured(tls.connect({ socket: other, servername: "second.test", ca: authority }))).destroy();
    });
    expect(scope.report().flows.map(({ governed, rule }) => [governed, rule?.index])).toEqual([
      [true, 0],
      [false, undefined],
    ]);
  });

  it("in many segments: nothing happens before the last one", async () => {
    const hello = await helloFor("first.test");
    await using peer = await serve((socket) => void socket.on("data", (chunk) => socket.write(`${chunk.length}\n`)));
    const scope = refusing({ sni: "first.test" });
    await scope.run(async () => {
      const socket = net.connect({ port: peer.port, host: "127.0.0.1", noDelay: true });
      const conversation = converse(socket);
      await once(socket, "connect");
      const ask = (bytes: Buffer): Promise<string> => {
        socket.write(bytes);
        return conversation.hear();
      };
      const places = [0, 1, 4, 6, 9, 70, hello.length - 1];
      for (const [index, at] of places.slice(0, -1).entries()) {
        const piece = hello.subarray(at, places[index + 1]);
        expect(await ask(piece)).toBe(String(piece.length));
      }
      expect(scope.report().injected).toBe(0);
      expect((await failureOf(ask(hello.subarray(-1)))).code).toBe("ECONNRESET");
    });
    expect(scope.report()).toMatchObject({ injected: 1, flows: [{ governed: true, rule: { index: 0 } }] });
  });

  it("delays what follows, in both directions, and not what came before", async () => {
    const hello = await helloFor("first.test");
    await using peer = await serve((socket) => void socket.on("data", () => socket.write("heard\n")));
    const scope = faultScope({ latency: "40ms", targets: [{ sni: "first.test" }] });
    await scope.run(async () => {
      const socket = net.connect({ port: peer.port, host: "127.0.0.1", noDelay: true });
      const conversation = converse(socket);
      await once(socket, "connect");
      socket.write(hello.subarray(0, 100));
      await conversation.hear();
      expect(scope.report().injected).toBe(0);
      const rest = await timed(() => {
        socket.write(hello.subarray(100));
        return conversation.hear();
      });
      expect(rest.ms).toBeGreaterThanOrEqual(80);
      expect((await timed(() => conversation.ask("more"))).ms).toBeGreaterThanOrEqual(80);
      await conversation.close();
    });
  });

  it("an exclusion lets the connection pass from there on", async () => {
    const hello = await helloFor("first.test");
    await using peer = await serve((socket) => void socket.on("data", () => socket.write("heard\n")));
    const targets: Targets = ["127.0.0.0/8", { sni: "first.test", exclude: true, priority: 200 }];
    const scope = faultScope({ uplink: { latency: "40ms" }, targets });
    await scope.run(async () => {
      const socket = net.connect({ port: peer.port, host: "127.0.0.1", noDelay: true });
      const conversation = converse(socket);
      expect((await timed(() => once(socket, "connect"))).ms).toBeGreaterThanOrEqual(40);
      const start = await timed(() => {
        socket.write(hello.subarray(0, 100));
        return conversation.hear();
      });
      expect(start.ms).toBeGreaterThanOrEqual(40);
      const before = scope.report().injected;
      socket.write(hello.subarray(100));
      await conversation.hear();
      await conversation.ask("more");
      expect(scope.report().injected).toBe(before);
      await conversation.close();
    });
    expect(scope.report().flows).toEqual([
      expect.objectContaining({ governed: false, rule: expect.objectContaining({ index: 1 }) as unknown }),
    ]);
  });

  it("of STARTTLS is found behind the plain text, in a scope that uses the connection later", async () => {
    await using peer = await serve((socket) => {
      socket.once("data", () => {
        socket.write("go ahead\n");
        const secure = new tls.TLSSocket(socket, { isServer: true, ...first });
        secure.on("error", () => {}).pipe(secure);
      });
    });
    install({ steer: "always" });
    const plain = await connected({ port: peer.port, host: "127.0.0.1" });
    plain.write("STARTTLS please\n");
    await once(plain, "data");
    const secure = await secured(tls.connect({ socket: plain, servername: "first.test", ca: authority }));
    const other = refusing({ sni: "second.test" });
    const echoed = once(secure, "data");
    await other.run(() => {
      secure.write("x");
      return echoed;
    });
    expect(other.report().flows).toEqual([expect.objectContaining({ governed: false })]);
    const scope = refusing({ sni: "first.test" });
    const failed = failureOf(scope.run(() => new Promise((_resolve, reject) => secure.once("error", reject).write("x"))));
    expect((await failed).code).toBe("ECONNRESET");
    expect(scope.report().flows).toEqual([expect.objectContaining({ governed: true })]);
    secure.destroy();
    install({ steer: "scoped" });
  });
});

describe("a server name among other rules", () => {
  it("replaces an earlier decision only where its rule outranks that one's", async () => {
    await using peer = await secureEcho();
    const outcome = async (targets: Targets): Promise<number | undefined> => {
      const scope = faultScope({ latency: "1ms", targets });
      await scope.run(async () => {
        const plain = await connected({ port: peer.port, host: "localhost", family: 4 });
        (await secured(tls.connect({ socket: plain, servername: "first.test", ca: authority }))).destroy();
      });
      return scope.report().flows[0]?.rule?.index;
    };
    const sni = { sni: "first.test", exclude: true };
    expect(await outcome(["127.0.0.0/8", sni])).toBe(1);
    expect(await outcome(["localhost", sni])).toBe(0);
    expect(await outcome([sni, "localhost"])).toBe(0);
    expect(await outcome(["localhost", { ...sni, priority: 101 }])).toBe(1);
    expect(await outcome([{ hostname: "localhost", priority: 101 }, sni])).toBe(0);
    expect(await outcome(["localhost", { ...sni, port: peer.port }])).toBe(1);
    expect(await outcome(["localhost", { sni: "*.test", exclude: true }])).toBe(0);
  });

  it("without any sni rule nothing is judged anew", async () => {
    await using peer = await secureEcho();
    const scope = faultScope({ latency: "1ms" });
    await scope.run(async () =>
      (await secured(tls.connect({ port: peer.port, host: "127.0.0.1", servername: "first.test", ca: authority }))).destroy(),
    );
    expect(scope.report().flows).toEqual([expect.objectContaining({ governed: true, rule: null })]);
  });
});
