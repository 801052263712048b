// Datagrams under faults, on real loopback sockets.
import dgram from "node:dgram";
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { activate, faultScope, isInjected, onFault, reset, withFaults } from "faultcore";
import type { FaultScope, PolicyFields } from "faultcore";
import { afterEach, describe, expect, test } from "vitest";
import { nowMs } from "../helpers/measure.ts";
import { until } from "../helpers/runtime.ts";

const open = new Set<dgram.Socket>();
afterEach(() => {
  reset();
  for (const left of open) left.close();
  open.clear();
});

function socket(type: dgram.SocketType = "udp4"): dgram.Socket {
  const made = dgram.createSocket(type);
  open.add(made);
  made.once("close", () => open.delete(made));
  return made;
}

interface Server {
  readonly socket: dgram.Socket;
  readonly port: number;
  readonly heard: { text: string; atMs: number; from: dgram.RemoteInfo }[];
}

async function server(type: dgram.SocketType = "udp4", reply?: (text: string) => string | undefined): Promise<Server> {
  const made = socket(type);
  const heard: Server["heard"] = [];
  made.on("message", (bytes, from) => {
    heard.push({ text: String(bytes), atMs: nowMs(), from });
    const answer = reply?.(String(bytes));
    if (answer !== undefined) made.send(answer, from.port, from.address);
  });
  made.bind(0, type === "udp4" ? "127.0.0.1" : "::1");
  await once(made, "listening");
  return { socket: made, port: (made.address() as AddressInfo).port, heard };
}

const echo = (text: string): string => `re ${text}`;

function send(from: dgram.Socket, text: string | Uint8Array, port: number, host = "127.0.0.1"): Promise<number> {
  return new Promise((resolve, reject) => from.send(text, port, host, (error, bytes) => (error ? reject(error) : resolve(bytes))));
}

const scopeOf = (policy: PolicyFields): FaultScope => faultScope({ seed: 7, ...policy });

describe("a datagram in a scope", () => {
  for (const [type, host] of [
    ["udp4", "127.0.0.1"],
    ["udp6", "::1"],
  ] as const) {
    test(`is late by the latency of its direction, ${type}`, async () => {
      const peer = await server(type, echo);
      const scope = scopeOf({ latency: "40ms", downlink: { latency: "60ms" } });
      await scope.run(async () => {
        const client = socket(type);
        const answer = once(client, "message");
        const began = nowMs();
        expect(await send(client, "hello", peer.port, host)).toBe(5);
        expect(peer.heard).toEqual([]);
        const [bytes, from] = (await answer) as [Buffer, dgram.RemoteInfo];
        const tookMs = nowMs() - began;
        expect(String(bytes)).toBe("re hello");
        expect(from).toEqual({ address: host, family: type === "udp4" ? "IPv4" : "IPv6", port: peer.port, size: 8 });
        expect(peer.heard[0]!.atMs - began).toBeGreaterThanOrEqual(40);
        expect(tookMs).toBeGreaterThanOrEqual(100);
      });
      const report = scope.report();
      expect(report.flows).toMatchObject([
        { target: type === "udp4" ? "127.0.0.1:#0" : "[::1]:#0", flow: 0, governed: true, port: peer.port },
      ]);
      expect(report.injected).toBe(2);
      expect(scope.events().map(({ direction, position, bytes, fault }) => [direction, position, bytes, fault])).toEqual([
        ["uplink", "0.0.0", 5, "latency"],
        ["downlink", "0.0.0", 8, "latency"],
      ]);
    });
  }

  test("is late on a connected socket, and its buffer may be used again at once", async () => {
    const peer = await server();
    await withFaults({ latency: "30ms" }, async () => {
      const client = socket();
      client.connect(peer.port, "127.0.0.1");
      await once(client, "connect");
      const parts = [Buffer.from("one "), Buffer.from("two")];
      client.send(parts, () => parts.forEach((part) => part.fill(0)));
      await until("it came", () => peer.heard.length === 1);
    });
    expect(peer.heard[0]!.text).toBe("one two");
  });

  test("vanishes at 100% loss, and its sender hears nothing of it", async () => {
    const peer = await server("udp4", echo);
    const scope = scopeOf({ packetLoss: "100%" });
    await scope.run(async () => {
      const client = socket();
      for (let n = 0; n < 5; n++) expect(await send(client, `gone ${n}`, peer.port)).toBe(6);
    });
    expect(scope.report().faults["packet_loss"]?.count).toBe(5);
    await send(socket(), "after", peer.port);
    await until("the unfaulted one came", () => peer.heard.length > 0);
    expect(peer.heard.map(({ text }) => text)).toEqual(["after"]);
  });

  test("comes several times when it is duplicated", async () => {
    const peer = await server();
    await scopeOf({ packetDuplicate: { prob: "100%", maxExtra: 1 }, latency: "5ms" }).run(async () => {
      await send(socket(), "twice", peer.port);
      await until("both came", () => peer.heard.length === 2);
    });
    expect(peer.heard.map(({ text }) => text)).toEqual(["twice", "twice"]);
  });

  test("is overtaken, with and without latency (defect 10), and the last one is not lost", async () => {
    for (const latency of ["0ms", "20ms"]) {
      const peer = await server();
      await scopeOf({ latency, packetReorder: { window: 1, maxDelay: "100ms" } }).run(async () => {
        const client = socket();
        for (let n = 0; n < 5; n++) await send(client, `${n}`, peer.port);
        await until("all came", () => peer.heard.length === 5);
      });
      expect(peer.heard.map(({ text }) => text)).toEqual(["1", "0", "3", "2", "4"]);
    }
  });

  test("takes its time on a slow link", async () => {
    const peer = await server();
    await scopeOf({ uplink: { rate: "80kbps" } }).run(async () => {
      const client = socket();
      const began = nowMs();
      for (let n = 0; n < 10; n++) await send(client, Buffer.alloc(100, `${n}`), peer.port);
      await until("all came", () => peer.heard.length === 10);
      for (const [n, { atMs }] of peer.heard.entries()) expect(atMs - began).toBeGreaterThanOrEqual((n + 1) * 10);
    });
  });
});

describe("who governs a flow", () => {
  test("the scope that sends first is noted although the socket is not bound yet", async () => {
    const peer = await server();
    const client = socket();
    const first = scopeOf({ latency: "20ms" });
    const second = scopeOf({ latency: "50ms" });
    const sent = (scope: FaultScope, text: string): Promise<number> => scope.run(() => send(client, text, peer.port));
    const began = nowMs();
    await Promise.all([sent(first, "first"), sent(second, "second"), send(client, "outside", peer.port)]);
    await until("all came", () => peer.heard.length === 3);
    const at = (text: string): number => peer.heard.find((heard) => heard.text === text)!.atMs - began;
    expect(at("first")).toBeGreaterThanOrEqual(20);
    expect(at("second")).toBeGreaterThanOrEqual(50);
    expect(peer.heard.map(({ text }) => text)).toEqual(["outside", "first", "second"]);
    expect([first, second].map((scope) => scope.report().flows.length)).toEqual([1, 1]);
  });

  test("an activation governs clients, and never the answers of a server", async () => {
    const peer = await server("udp4", echo);
    using activation = activate({ latency: "25ms" });
    const client = socket();
    const began = nowMs();
    const answer = once(client, "message");
    await send(client, "x", peer.port);
    await answer;
    expect(nowMs() - began).toBeGreaterThanOrEqual(50);
    // Two events of one flow: the server's socket has none.
    expect(activation.report().flows).toHaveLength(1);
    expect(activation.events()).toHaveLength(2);
  });

  test("rules for udp, for addresses and for names decide", async () => {
    const peer = await server();
    const other = await server();
    const scope = scopeOf({
      packetLoss: "100%",
      targets: [`udp://127.0.0.1:${peer.port}`, { hostname: "localhost", protocol: "tcp" }],
    });
    await scope.run(async () => {
      const client = socket();
      await send(client, "lost", peer.port);
      await send(client, "kept", other.port, "localhost");
      await until("one came", () => other.heard.length === 1);
    });
    expect(peer.heard).toEqual([]);
    expect(scope.report().flows.map(({ governed, hostname }) => [governed, hostname])).toEqual([
      [true, null],
      [false, "localhost"],
    ]);
    expect(scope.report().unmatchedRules.map(({ index }) => index)).toEqual([1]);
  });

  test("what the scope decided keeps its time after the end, and nothing new is faulted", async () => {
    const peer = await server();
    const client = socket();
    const began = nowMs();
    await scopeOf({ latency: "60ms" }).run(() => send(client, "slow", peer.port));
    await send(client, "fast", peer.port);
    await until("both came", () => peer.heard.length === 2);
    expect(peer.heard.map(({ text }) => text)).toEqual(["fast", "slow"]);
    expect(peer.heard[1]!.atMs - began).toBeGreaterThanOrEqual(60);
  });
});

describe("closing", () => {
  test("what was sent still leaves at its time, what comes vanishes, and close is told at once", async () => {
    const peer = await server("udp4", echo);
    const client = socket();
    let heard = 0;
    client.on("message", () => heard++);
    await scopeOf({ latency: "50ms" }).run(async () => {
      const began = nowMs();
      await send(client, "last words", peer.port);
      client.close();
      await once(client, "close");
      expect(peer.heard).toEqual([]);
      await until("it came", () => peer.heard.length === 1);
      expect(peer.heard[0]!.atMs - began).toBeGreaterThanOrEqual(50);
    });
    expect(heard).toBe(0);
    expect(() => client.send("x", 1, "127.0.0.1")).toThrow(expect.objectContaining({ code: "ERR_SOCKET_DGRAM_NOT_RUNNING" }));
  });

  test("a packet that waits to be overtaken leaves", async () => {
    const peer = await server();
    await scopeOf({ packetReorder: { window: 5, maxDelay: "20s" } }).run(async () => {
      const client = socket();
      await send(client, "held", peer.port);
      client.close();
      await until("it came", () => peer.heard.length === 1);
    });
  });
});

describe("errors are the kernel's", () => {
  test("too long, no such family, broadcast that is not allowed", async () => {
    const fails = async (type: dgram.SocketType, bytes: number, host: string): Promise<unknown> => {
      const failure = await send(socket(type), Buffer.alloc(bytes), 9, host).catch((error: unknown) => error);
      expect(isInjected(failure)).toBe(false);
      const { message, code, syscall, errno } = failure as NodeJS.ErrnoException;
      return { message, code, syscall, errno };
    };
    for (const [type, bytes, host] of [
      ["udp4", 65_508, "127.0.0.1"],
      ["udp6", 65_528, "::1"],
      ["udp6", 1, "127.0.0.1"],
      ["udp4", 1, "127.255.255.255"],
    ] as const) {
      const direct = await fails(type, bytes, host);
      expect(await withFaults({ latency: "1s" }, () => fails(type, bytes, host))).toEqual(direct);
    }
  });
});

/** What the kernel threw away because a socket was not read fast enough. */
function kernelDrops(): number {
  const [names = "", values = ""] = readFileSync("/proc/net/snmp", "utf8")
    .split("\n")
    .filter((line) => line.startsWith("Udp:"));
  const index = names.split(" ").indexOf("RcvbufErrors");
  return Number(values.split(" ")[index]);
}

test.skipIf(!existsSync("/proc/net/snmp"))(
  "100,000 datagrams: shares are those of the policy, and every one is accounted for",
  async () => {
    const N = 100_000;
    const IN_FLIGHT = 64;
    const seen = new Uint8Array(N);
    const sentMs = new Float64Array(N);
    let [arrived, extra, early, late, overtaken, highest] = [0, 0, 0, 0, 0, -1];
    const sink = socket();
    sink.bind(0, "127.0.0.1");
    await once(sink, "listening");
    sink.setRecvBufferSize(4 << 20);
    const scope = scopeOf({
      latency: "2ms",
      packetLoss: "5%",
      packetDuplicate: { prob: "3%", maxExtra: 2 },
      packetReorder: { prob: "4%", window: 3, maxDelay: "50ms" },
      seed: 11,
    });
    const dropsBefore = kernelDrops();
    let wake: (() => void) | undefined;
    sink.on("message", (bytes) => {
      const n = bytes.readUInt32LE(0);
      arrived++;
      if (seen[n]! > 0) extra++;
      else {
        const tookMs = nowMs() - sentMs[n]!;
        if (tookMs < 2) early++;
        if (tookMs > 1000) late++;
        if (n < highest) overtaken++;
        else highest = n;
      }
      seen[n]!++;
      wake?.();
    });
    const stop = onFault(({ fault, decision }) => {
      if (fault === "packet_loss") lost++;
      else if (fault === "packet_duplicate") copies += Number(decision.slice("extra x".length));
      else if (fault === "packet_reorder") reordered++;
    });
    let [lost, copies, reordered] = [0, 0, 0];
    await scope.run(async () => {
      const client = socket();
      client.connect((sink.address() as AddressInfo).port, "127.0.0.1");
      await once(client, "connect");
      const message = Buffer.alloc(64);
      for (let n = 0; n < N; n++) {
        // All that are not lost arrive, so this many are on their way.
        while (n + copies - lost - arrived >= IN_FLIGHT) {
          await new Promise<void>((resolve) => (wake = resolve));
          wake = undefined;
        }
        message.writeUInt32LE(n, 0);
        sentMs[n] = nowMs();
        client.send(message);
      }
      await until("all arrived", () => N + copies - lost - arrived - (kernelDrops() - dropsBefore) <= 0);
    });
    stop();
    const dropped = kernelDrops() - dropsBefore;
    const report = scope.report();
    expect(arrived + dropped).toBe(N + copies - lost);
    expect([early, late]).toEqual([0, 0]);
    expect(dropped).toBeLessThan(N / 100);
    // Five standard errors of a share p of n.
    const within = (count: number, n: number, p: number): void =>
      expect(Math.abs(count - n * p)).toBeLessThan(5 * Math.sqrt(n * p * (1 - p)));
    within(lost, N + copies, 0.05);
    within(report.faults["packet_duplicate"]!.count, N, 0.03);
    within(reordered, N + copies - lost, 0.04);
    expect(extra).toBeGreaterThan(0.8 * copies);
    expect(overtaken).toBeGreaterThan(0.03 * N);
    expect(report.faults["latency"]!.count).toBe(N + copies - lost);
    expect(report.faults["latency"]!.maxDelayMs).toBe(2);
  },
);
