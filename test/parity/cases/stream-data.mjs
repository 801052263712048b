// Bytes, in both directions.
import { AsyncLocalStorage } from "node:async_hooks";
import net from "node:net";
import { pipeline } from "node:stream/promises";
import { stateOf } from "../kit/describe.mjs";

const host = "127.0.0.1";

function open(t, server, options) {
  return t.watch(net.connect({ port: server.port, host, ...options }), "client");
}

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
    t.log(
      "client",
      "write returns",
      socket.write("", () => t.log("write", "callback")),
    );
    await t.event(socket, "connect");
    t.log(
      "client",
      "write returns",
      socket.write(Buffer.alloc(0), () => t.log("write", "second callback")),
    );
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
    for (let i = 0; i < 5; i++)
      socket.write(`${i}`, (error) => t.log("write", `callback ${i}`, { error: error ?? null, written: socket.bytesWritten }));
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
      for (const event of ["lookup", "connectionAttempt", "connect", "ready", "data", "end", "finish", "close"])
        socket.on(event, mark(event));
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
