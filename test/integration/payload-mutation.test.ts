import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import net from "node:net";
import tls from "node:tls";
import { faultScope, install, reset, uninstall, withFaults } from "faultcore";
import type { FaultScope, PolicyFields } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { authority, localhost } from "../helpers/certificates.mjs";
import { nowMs } from "../helpers/measure.ts";
import { echo, listen } from "../helpers/peers.ts";
import type { Peer } from "../helpers/peers.ts";
import { until } from "../helpers/runtime.ts";
import { converse, talk } from "../helpers/worker-peer.ts";

type Mutation = NonNullable<PolicyFields["payloadMutation"]>;

const policy = (mutation: Mutation): PolicyFields => ({ payloadMutation: mutation });
const replace: Mutation = { type: "replace_pattern", replaceFind: "hello", replaceWith: "goodbye" };

/** What the peer echoes of one message, with the mutation on the way up only. */
async function echoed(mutation: Mutation, message: string): Promise<{ readonly text: string; readonly scope: FaultScope }> {
  await using peer = await echo();
  const scope = faultScope(policy({ target: "uplink_only", ...mutation }));
  const text = await scope.run(async () => {
    const socket = net.connect({ port: peer.port, host: "127.0.0.1", noDelay: true });
    socket.end(message);
    return Buffer.concat(await socket.toArray()).toString("latin1");
  });
  return { text, scope };
}

const client = { host: "127.0.0.1", servername: "localhost", ca: authority };

const secureEcho = (): Promise<Peer> =>
  listen(
    tls.createServer({ key: localhost.key, cert: localhost.cert }, (socket) => {
      socket.on("error", () => {});
      socket.pipe(socket);
    }),
  );

/** The body of a response, as text. */
async function get(url: string, options: https.RequestOptions = {}): Promise<string> {
  const request = url.startsWith("https")
    ? https.get(url, { agent: false, ca: authority, ...options })
    : http.get(url, { agent: false, ...options });
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  return Buffer.concat(await response.toArray()).toString();
}

beforeAll(() => install({ steer: "always" }));
afterEach(() => reset());
afterAll(() => uninstall());

describe("payload_mutation on plain TCP", () => {
  it("truncate: the rest of each packet never reaches the peer", async () => {
    const { text, scope } = await echoed({ type: "truncate", truncateSize: "10b" }, "x".repeat(2000));
    expect(text).toBe("x".repeat(20));
    expect(scope.events().map(({ fault, decision, direction, position }) => [fault, decision, direction, position])).toEqual([
      ["payload_mutation", "truncate", "uplink", "0.0.0"],
      ["payload_mutation", "truncate", "uplink", "0.1.0"],
    ]);
  });

  it("inject_bytes", async () => {
    expect((await echoed({ type: "inject_bytes", injectPosition: 3, injectData: "+++" }, "abcdef")).text).toBe("abc+++def");
  });

  it("swap_bytes", async () => {
    expect((await echoed({ type: "swap_bytes", swapPos1: 0, swapPos2: 5 }, "abcdef")).text).toBe("fbcdea");
  });

  it("corrupt_bytes: as many bytes as given differ, the same ones for the same seed", async () => {
    const message = "m".repeat(500);
    const corrupt = async (corruptSeed: string): Promise<string> =>
      (await echoed({ type: "corrupt_bytes", corruptCount: 7, corruptSeed }, message)).text;
    const first = await corrupt("5");
    expect(first).toHaveLength(500);
    expect(first.replaceAll("m", "")).toHaveLength(7);
    expect(await corrupt("6")).not.toBe(first);
  });

  it("corrupt_encoding: the text is no UTF-8 any more", async () => {
    const { text } = await echoed({ type: "corrupt_encoding" }, "only letters");
    expect(() => new TextDecoder("utf-8", { fatal: true }).decode(Buffer.from(text, "latin1"))).toThrow(TypeError);
  });

  it("replace_pattern: also across the border of two packets", async () => {
    const message = `${"-".repeat(1458)}hello${"-".repeat(100)}`;
    expect((await echoed(replace, message)).text).toBe(message.replace("hello", "goodbye"));
  });

  it("a request that ends with the beginning of the pattern does not hang: it goes on after 20 ms", async () => {
    await using peer = await echo();
    await withFaults(policy({ ...replace, target: "uplink_only", replaceFind: "hello\n!" }), async () => {
      const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
      const began = nowMs();
      expect(await conversation.ask("hello")).toBe("hello");
      expect(nowMs() - began).toBeGreaterThanOrEqual(20);
      await conversation.close();
    });
  });

  it("a megabyte keeps its order, each pattern replaced, in both directions", async () => {
    const message = `well hello there${", ".repeat(500)}`.repeat(1000);
    await using peer = await echo();
    const text = await withFaults(policy(replace), async () => {
      const socket = net.connect({ port: peer.port, host: "127.0.0.1" });
      socket.end(message);
      return Buffer.concat(await socket.toArray()).toString();
    });
    expect(text === message.replaceAll("hello", "goodbye")).toBe(true);
  });

  it("a dry run records and changes nothing, and its records are not injected", async () => {
    const { text, scope } = await echoed({ ...replace, dryRun: true }, "hello hello");
    expect(text).toBe("hello hello");
    expect(scope.events().map(({ decision }) => decision)).toEqual(["dry run: replace_pattern", "dry run: replace_pattern"]);
    expect(scope.report()).toMatchObject({ injected: 0, events: { recorded: 2 } });
  });

  it("every_n_packets counts packets, not time", async () => {
    await using peer = await echo();
    await withFaults(policy({ type: "inject_bytes", injectData: "!", everyNPackets: 3, target: "uplink_only" }), async () => {
      const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
      const answers: string[] = [];
      for (const line of ["a", "b", "c", "d", "e", "f"]) answers.push(await conversation.ask(line));
      expect(answers).toEqual(["a", "b", "!c", "d", "e", "!f"]);
      await conversation.close();
    });
  });

  it("an http response has its body replaced", async () => {
    await using peer = await listen(http.createServer((_request, response) => response.end("well, hello!")));
    const mutation: Mutation = { type: "replace_pattern", replaceFind: "hello", replaceWith: "HELLO", target: "downlink_only" };
    expect(await withFaults(policy(mutation), () => get(`http://127.0.0.1:${peer.port}/`))).toBe("well, HELLO!");
    expect(await get(`http://127.0.0.1:${peer.port}/`)).toBe("well, hello!");
  });
});

describe("payload_mutation on TLS sockets of this process", () => {
  it("changes the plaintext on the way up, and the handshake is unharmed", async () => {
    await using peer = await secureEcho();
    const scope = faultScope(policy({ ...replace, target: "uplink_only" }));
    await scope.run(async () => {
      const conversation = converse(tls.connect({ ...client, port: peer.port }));
      expect(await conversation.ask("oh hello")).toBe("oh goodbye");
      expect(await conversation.ask("hello hello")).toBe("goodbye goodbye");
      await conversation.close();
    });
    expect(scope.events().map(({ direction, decision }) => [direction, decision])).toEqual(
      Array.from({ length: 3 }, () => ["uplink", "replace_pattern"]),
    );
    expect(scope.report().injected).toBe(3);
  });

  it("changes the plaintext on the way down, up to the end of the stream", async () => {
    await using peer = await secureEcho();
    const text = await withFaults(policy({ ...replace, target: "downlink_only", replaceFind: "bye" }), async () => {
      const socket = tls.connect({ ...client, port: peer.port });
      socket.end("say bye, and by");
      return Buffer.concat(await socket.toArray()).toString();
    });
    expect(text).toBe("say goodbye, and by");
  });

  for (const type of ["corrupt_bytes", "truncate", "inject_bytes", "swap_bytes", "corrupt_encoding"] as const) {
    it(`${type}: the peer gets other plaintext, and a sound TLS connection`, async () => {
      await using peer = await secureEcho();
      const mutation: Mutation = {
        type,
        target: "uplink_only",
        truncateSize: "6b",
        corruptCount: 1,
        injectData: "+",
        swapPos1: 0,
        swapPos2: 1,
      };
      const text = await withFaults(policy(mutation), async () => {
        const socket = tls.connect({ ...client, port: peer.port });
        socket.end("abcdefgh");
        return Buffer.concat(await socket.toArray()).toString("latin1");
      });
      expect(text).not.toBe("abcdefgh");
      expect(text).toHaveLength(type === "truncate" ? 6 : type === "inject_bytes" ? 9 : 8);
    });
  }

  it("a write that ends with the beginning of the pattern goes on after 20 ms; two writes within that are one text", async () => {
    await using peer = await secureEcho();
    await withFaults(policy({ ...replace, target: "uplink_only", replaceFind: "x\ny" }), async () => {
      const conversation = converse(tls.connect({ ...client, port: peer.port }));
      const began = nowMs();
      expect(await conversation.ask("x")).toBe("x");
      expect(nowMs() - began).toBeGreaterThanOrEqual(20);
      conversation.say("x");
      conversation.say("y");
      expect(await conversation.hear()).toBe("goodbye");
      await conversation.close();
    });
  });

  it("https: the response's body is replaced, also on a connection of a pool", async () => {
    await using peer = await listen(
      https.createServer({ key: localhost.key, cert: localhost.cert }, (_request, response) => response.end("well, hello!")),
    );
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const url = `https://localhost:${peer.port}/`;
    const mutation: Mutation = { type: "replace_pattern", replaceFind: "hello", replaceWith: "HELLO" };
    expect(await get(url, { agent })).toBe("well, hello!");
    const scope = faultScope(policy(mutation));
    expect(await scope.run(() => get(url, { agent }))).toBe("well, HELLO!");
    expect(await get(url, { agent })).toBe("well, hello!");
    expect(peer.accepted()).toBe(1);
    expect(scope.report().faults["payload_mutation"]?.count).toBe(1);
  });

  it("STARTTLS: what is said before TLS is mutated on the wire, what is said in TLS as plaintext", async () => {
    await using peer = await listen(
      net.createServer((socket) => {
        socket.once("data", (chunk) => {
          socket.write(`got ${chunk.toString()}`);
          const secure = new tls.TLSSocket(socket, { isServer: true, key: localhost.key, cert: localhost.cert });
          secure.on("error", () => {});
          secure.pipe(secure);
        });
      }),
    );
    await withFaults(policy({ ...replace, target: "uplink_only" }), async () => {
      const socket = net.connect({ port: peer.port, host: "127.0.0.1" });
      socket.write("hello\n");
      expect(String((await once(socket, "data"))[0])).toBe("got goodbye\n");
      socket.removeAllListeners("data");
      const conversation = converse(tls.connect({ ...client, socket }));
      expect(await conversation.ask("hello in TLS")).toBe("goodbye in TLS");
      await conversation.close();
    });
  });

  it("HTTP/2 over TLS is not reached: nothing is changed, and the report says that the fault was silent", async () => {
    const server = http2.createSecureServer({ key: localhost.key, cert: localhost.cert });
    server.on("stream", (stream) => stream.end("well, hello!"));
    await using peer = await listen(server);
    const scope = faultScope(policy(replace));
    await scope.run(async () => {
      const session = http2.connect(`https://localhost:${peer.port}`, { ca: authority });
      const stream = session.request({ ":path": "/" });
      expect(Buffer.concat(await stream.toArray()).toString()).toBe("well, hello!");
      session.destroy();
    });
    expect(scope.report()).toMatchObject({ injected: 0, silentFaults: ["payload_mutation"] });
  });
});

describe('packet_reorder with stream: "swap"', () => {
  it("really swaps packets of the stream, loses nothing, and says so", async () => {
    const PACKETS = 40;
    const message = Array.from({ length: PACKETS }, (_, n) => String.fromCharCode(65 + n).repeat(1460)).join("");
    await using peer = await echo();
    const scope = faultScope({ packetReorder: { stream: "swap", prob: "30%" }, seed: 3 });
    const text = await scope.run(async () => {
      const socket = net.connect({ port: peer.port, host: "127.0.0.1" });
      socket.end(message);
      return Buffer.concat(await socket.toArray()).toString("latin1");
    });
    expect(text).toHaveLength(message.length);
    expect(text).not.toBe(message);
    expect(Buffer.compare(Buffer.from(text, "latin1").toSorted(), Buffer.from(message, "latin1"))).toBe(0);
    expect(scope.events().some(({ decision }) => decision === "swapped")).toBe(true);
  });

  it("a packet that nothing follows leaves after max_delay", async () => {
    await using peer = await echo();
    await withFaults({ packetReorder: { stream: "swap", maxDelay: "30ms" } }, async () => {
      const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
      const began = nowMs();
      expect(await conversation.ask("x")).toBe("x");
      expect(nowMs() - began).toBeGreaterThanOrEqual(60);
      await conversation.close();
    });
  });

  it("when the scope ends, what it held leaves at once and nothing more is swapped", async () => {
    await using peer = await echo();
    const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
    const scope = faultScope({ packetReorder: { stream: "swap", maxDelay: "30s" } });
    await scope.run(async () => {
      conversation.say("held");
      await until("the scope's flow", () => scope.report().flows[0]?.governed === true);
    });
    expect(await conversation.hear()).toBe("held");
    expect(await conversation.ask("free")).toBe("free");
    await conversation.close();
  });
});
