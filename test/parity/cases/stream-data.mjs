// Bytes, in both directions.
import { AsyncLocalStorage } from "node:async_hooks";
import net from "node:net";
import { pipeline } from "node:stream/promises";
import { stateOf } from "../kit/describe.mjs";

const host = "127.0.0.1";
const big = 5_000_000;
/** The same bytes on every run, with no period that a lost or doubled chunk could hide behind. */
const bigBuffer = Buffer.alloc(big);
for (let i = 0, x = 1; i < big; i++) bigBuffer[i] = (x = (Math.imul(x, 1103515245) + 12345) >>> 0) >>> 24;

function open(t, server, options) {
  return t.watch(net.connect({ port: server.port, host, ...options }), "client");
}

/** Sends the big buffer in pieces, respecting back-pressure; the drains that takes are nobody's business. */
async function sendBig(socket, piece = 65_536) {
  for (let at = 0; at < big; at += piece) {
    if (!socket.write(bigBuffer.subarray(at, at + piece))) await new Promise((resolve) => socket.once("drain", resolve));
  }
  socket.end();
}

const withoutDrains = (t) => {
  for (const actor of t.trace.actors()) if (actor.endsWith(", writing")) t.trace.drop(actor);
};

export const cases = {
  "writes before it is connected": async (t) => {
    const server = await t.echo();
    const socket = open(t, server);
    t.log("client", "write returns", socket.write("early "));
    socket.write("writes ", () => t.log("write", "first callback", stateOf(socket, { bytes: false })));
    socket.write("stay in order");
    t.log("client", "before connect", stateOf(socket));
    await t.received(socket, 26);
    socket.end();
  },

  "ends with data before it is connected": async (t) => {
    const server = await t.echo();
    const socket = open(t, server);
    socket.end("all at once", () => t.log("end", "callback"));
  },

  "ends without data before it is connected": async (t) => {
    const server = await t.echo();
    open(t, server).end();
  },

  "corks before it is connected": async (t) => {
    const server = await t.echo();
    const socket = open(t, server);
    socket.cork();
    for (const word of ["one ", "two ", "three"]) socket.write(word);
    await t.event(socket, "connect");
    t.log("client", "corked", stateOf(socket));
    process.nextTick(() => socket.uncork());
    await t.received(socket, 13);
    socket.end();
  },

  "corks after it is connected": async (t) => {
    const server = await t.echo();
    const socket = open(t, server);
    await t.event(socket, "connect");
    socket.cork();
    socket.write("a");
    socket.write(Buffer.from("b"));
    socket.write("63", "hex");
    socket.write("é", "latin1");
    socket.uncork();
    t.log("client", "uncorked", stateOf(socket));
    await t.received(socket, 4);
    socket.end();
  },

  "writes nothing": async (t) => {
    const server = await t.echo();
    const socket = open(t, server);
    t.log("client", "write returns", socket.write("", () => t.log("write", "callback")));
    await t.event(socket, "connect");
    t.log("client", "write returns", socket.write(Buffer.alloc(0), () => t.log("write", "second callback")));
    await t.sleep(10);
    socket.end("");
  },

  "writes strings in several encodings": async (t) => {
    const server = await t.echo();
    const socket = open(t, server);
    await t.event(socket, "connect");
    socket.write("äöü€", "utf8");
    socket.write("äöü", "latin1");
    socket.write("äöü", "ucs2");
    socket.write("c3a4", "hex");
    socket.write("w6Q=", "base64");
    socket.write(new Uint8Array([1, 2, 3]));
    await t.received(socket, 9 + 3 + 6 + 2 + 2 + 3);
    socket.end();
  },

  "decodes with setEncoding": async (t) => {
    const bytes = Buffer.from("grün€");
    const server = await t.listen(async (socket) => {
      for (const byte of bytes) {
        socket.write(Buffer.of(byte));
        await t.sleep(3);
      }
      socket.end();
    });
    const socket = open(t, server).setEncoding("utf8");
    let text = "";
    socket.on("data", (chunk) => (text += chunk));
    await t.closed(socket);
    t.log("client", "text", text);
  },

  "calls back for each write, in order": async (t) => {
    const server = await t.echo();
    const socket = open(t, server);
    for (let i = 0; i < 5; i++) socket.write(`${i}`, (error) => t.log("write", `callback ${i}`, { error: error ?? null, written: socket.bytesWritten }));
    await t.received(socket, 5);
    socket.write("x", () => t.log("write", "last callback"));
    await t.received(socket, 6);
    socket.end();
  },

  "counts bytes": async (t) => {
    const server = await t.echo();
    const socket = open(t, server);
    socket.write("12345");
    await t.received(socket, 5);
    t.log("client", "so far", stateOf(socket));
    socket.write("€");
    socket.write(Buffer.alloc(1000));
    t.log("client", "at once", socket.bytesWritten);
    await t.received(socket, 1008);
    t.log("client", "later", stateOf(socket));
    socket.end();
  },

  "uploads five megabytes": async (t) => {
    const server = await t.listen();
    await sendBig(open(t, server));
    await t.allClosed();
    withoutDrains(t);
  },

  "downloads five megabytes": async (t) => {
    const server = await t.listen((socket) => sendBig(socket));
    open(t, server);
    await t.event(server.server, "connection");
    await t.allClosed();
    withoutDrains(t);
  },

  "uploads five megabytes in one write": async (t) => {
    const server = await t.listen();
    const socket = open(t, server);
    t.log("client", "write returns", socket.write(bigBuffer));
    socket.end();
  },

  "echoes five megabytes": async (t) => {
    const server = await t.echo();
    await sendBig(open(t, server));
    await t.allClosed();
    withoutDrains(t);
  },

  "sends many small writes": async (t) => {
    const server = await t.echo();
    const socket = open(t, server);
    for (let i = 0; i < 2000; i++) socket.write(`${i},`);
    await t.received(socket, 8890);
    socket.end();
  },

  "stalls on a server that does not read, and goes on": async (t) => {
    const server = await t.listen((socket) => socket.pause(), { watch: { data: false } });
    const socket = open(t, server);
    await t.event(socket, "connect");
    const piece = Buffer.alloc(256 * 1024, "x");
    let written = 0;
    let drained = true;
    while (drained && written < 512) {
      written++;
      if (!socket.write(piece)) drained = await Promise.race([t.event(socket, "drain").then(() => true), t.sleep(250).then(() => false)]);
    }
    t.log("result", "stalled", { drained, needDrain: socket.writableNeedDrain });
    const peer = await server.socket();
    let received = 0;
    peer.on("data", (chunk) => {
      received += chunk.length;
    });
    peer.resume();
    await t.event(socket, "drain");
    socket.end();
    await t.closed(peer);
    await t.allClosed();
    t.log("result", "received all", received === written * piece.length);
    // How much fits before it stalls is up to the kernel, and so is every count that follows from it.
    for (const actor of t.trace.actors()) if (actor !== "result") t.trace.drop(actor);
  },

  "pauses reading, and the server stalls": async (t) => {
    let stalled;
    const stalling = new Promise((resolve) => (stalled = resolve));
    let sent = 0;
    const server = await t.listen(async (socket) => {
      const piece = Buffer.alloc(256 * 1024, "y");
      for (let i = 0; i < 200; i++) {
        sent += piece.length;
        if (socket.write(piece)) continue;
        const drain = t.event(socket, "drain");
        const timer = setTimeout(stalled, 250, true);
        await drain;
        clearTimeout(timer);
      }
      stalled(false);
      socket.end();
    });
    const socket = t.watch(net.connect(server.port, host), "client", { data: false });
    let received = 0;
    socket.pause();
    socket.on("data", (chunk) => (received += chunk.length));
    t.log("result", "stalled", await stalling);
    t.log("result", "nothing read while paused", received === 0);
    socket.resume();
    await t.closed(socket);
    await t.allClosed();
    t.log("result", "received all", received === sent);
    withoutDrains(t);
  },

  "pauses before it is connected": async (t) => {
    const server = await t.listen((socket) => socket.end("greeting"));
    const socket = open(t, server).pause();
    await t.event(socket, "connect");
    await t.sleep(50);
    t.log("client", "resume");
    socket.resume();
  },

  "reads by pulling": async (t) => {
    const server = await t.listen((socket) => socket.end("one two three"));
    const socket = t.watch(net.connect(server.port, host), "client", { data: false });
    let text = "";
    socket.on("readable", () => {
      for (let part = socket.read(3); part !== null; part = socket.read(3)) text += part;
    });
    await t.closed(socket);
    t.log("client", "text", text);
  },

  "reads in an async loop": async (t) => {
    const server = await t.listen((socket) => socket.end("for await"));
    const socket = t.watch(net.connect(server.port, host), "client", { data: false });
    let text = "";
    for await (const chunk of socket) text += chunk;
    t.log("client", "text", text);
  },

  "breaks out of an async loop": async (t) => {
    const server = await t.listen((socket) => socket.write("first"));
    const socket = t.watch(net.connect(server.port, host), "client", { data: false });
    for await (const chunk of socket) {
      t.log("client", "chunk", String(chunk));
      break;
    }
  },

  "works in a pipeline": async (t) => {
    const server = await t.echo();
    const socket = t.watch(net.connect(server.port, host), "client", { data: false });
    const parts = [];
    await pipeline(["one ", "two ", "three"], socket, async (source) => {
      for await (const chunk of source) parts.push(chunk);
    });
    t.log("client", "text", Buffer.concat(parts).toString());
  },

  "exchanges a hundred messages": async (t) => {
    const server = await t.echo();
    const socket = open(t, server, { noDelay: true });
    for (let i = 0; i < 100; i++) {
      socket.write("ping");
      await t.received(socket, 4 * (i + 1));
    }
    socket.end();
  },

  "hears a server that speaks first": async (t) => {
    const server = await t.listen((socket) => socket.write("220 hello\r\n"));
    const socket = open(t, server);
    await t.received(socket, 11);
    socket.end("QUIT\r\n");
  },

  "keeps the async context of its listeners": async (t) => {
    const storage = new AsyncLocalStorage();
    const server = await t.listen((socket) => socket.on("data", () => socket.end("reply")));
    const mark = (event) => () => t.log("context", event, storage.getStore() ?? "none");
    storage.run("caller", () => {
      const socket = t.watch(net.connect(server.port, "localhost", mark("connect callback")), "client");
      for (const event of ["lookup", "connectionAttempt", "connect", "ready", "data", "end", "finish", "close"]) socket.on(event, mark(event));
      storage.run("writer", () => socket.write("hello", mark("write callback")));
      storage.run("timer", () => socket.setTimeout(5000, mark("timeout")));
    });
  },

  "keeps the async context of a failure": async (t) => {
    const storage = new AsyncLocalStorage();
    storage.run("caller", () => {
      const socket = t.watch(net.connect(1, host), "client");
      for (const event of ["connectionAttemptFailed", "error", "close"]) {
        socket.on(event, () => t.log("context", event, storage.getStore() ?? "none"));
      }
    });
  },
};
