// Datagrams under faults, on real loopback sockets.
import type dgram from "node:dgram";
import { once } from "node:events";
import { activate, isInjected, withFaults } from "faultcore";
import type { FaultScope } from "faultcore";
import { afterEach, describe, expect, test } from "vitest";
import { closeSockets, echo, scopeOf, send, server, socket } from "../helpers/datagrams.ts";
import { nowMs } from "../helpers/measure.ts";
import { until } from "../helpers/runtime.ts";

afterEach(closeSockets);

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

test("a broadcast that was forbidden at first is faulted when it is allowed", async () => {
  const scope = scopeOf({ packetLoss: "100%" });
  await scope.run(async () => {
    const client = socket();
    client.bind(0, "0.0.0.0");
    await once(client, "listening");
    await expect(send(client, "no", 9, "127.255.255.255")).rejects.toMatchObject({ code: "EACCES" });
    client.setBroadcast(true);
    expect(await send(client, "yes", 9, "127.255.255.255")).toBe(3);
  });
  expect(scope.report().injected).toBe(1);
});

test("session_budget: datagrams over the budget vanish, or raise the error of a reported one", async () => {
  const peer = await server("udp4", echo);
  const scope = scopeOf({ sessionBudget: { maxOps: 3 } });
  await scope.run(async () => {
    const client = socket();
    const answer = once(client, "message");
    await send(client, "one", peer.port);
    await answer;
    for (const text of ["two", "three"]) await send(client, text, peer.port);
    await until("two came", () => peer.heard.length === 2);
  });
  expect(scope.events().map(({ decision }) => decision)).toEqual(expect.arrayContaining(["max_ops: drop", "dropped"]));
  for (const [kind, code] of [
    ["refused", "ECONNREFUSED"],
    ["reset", "ECONNRESET"],
    ["unreachable", "EHOSTUNREACH"],
  ] as const) {
    await scopeOf({ sessionBudget: { maxTx: "2b", action: "connection_error", error: kind } }).run(async () => {
      const client = socket();
      const failed = once(client, "error").catch((error: unknown) => error) as Promise<[NodeJS.ErrnoException]>;
      expect(await send(client, "too long", peer.port)).toBe(8);
      const [error] = await failed;
      expect(error).toMatchObject({ code, syscall: "recvmsg", message: `recvmsg ${code}` });
      expect(isInjected(error)).toBe(true);
    });
  }
});

test("payload_mutation: truncated datagrams are truncated (defect 11), and the sender hears of what it sent", async () => {
  const peer = await server();
  await scopeOf({ payloadMutation: { type: "truncate", truncateSize: "4b", everyNPackets: 2 } }).run(async () => {
    const client = socket();
    for (let n = 0; n < 4; n++) expect(await send(client, `message ${n}`, peer.port)).toBe(9);
    await until("all came", () => peer.heard.length === 4);
  });
  expect(peer.heard.map(({ text }) => text)).toEqual(["message 0", "mess", "message 2", "mess"]);
});

test("skip and times count flows by their first datagram", async () => {
  const peer = await server();
  const scope = scopeOf({ packetLoss: "100%", skip: 1, times: 1 });
  await scope.run(async () => {
    for (const text of ["skipped", "lost", "after"]) {
      const client = socket();
      for (const part of ["a", "b"]) await send(client, `${text} ${part}`, peer.port);
    }
    await until("four came", () => peer.heard.length === 4);
  });
  expect(peer.heard.map(({ text }) => text)).toEqual(["skipped a", "skipped b", "after a", "after b"]);
  expect(scope.report().skipped).toBe(2);
});
