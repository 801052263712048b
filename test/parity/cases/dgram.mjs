// Datagrams: sockets, names, callbacks, errors.
import { AsyncLocalStorage } from "node:async_hooks";
import dgram from "node:dgram";
import { once } from "node:events";
import { describeError } from "../kit/describe.mjs";

const host = "127.0.0.1";

function make(t, actor, options = "udp4") {
  const socket = dgram.createSocket(options);
  for (const event of ["listening", "connect", "close"]) socket.on(event, () => t.log(actor, event));
  socket.on("error", (error) => t.log(actor, "error", describeError(error)));
  socket.on("message", (bytes, { family, address, size }) => t.log(actor, "message", { text: String(bytes), family, address, size }));
  t.cleanup(() => {
    try {
      socket.close();
    } catch {}
  });
  return socket;
}

async function bound(t, actor, options, address = host) {
  const socket = make(t, actor, options);
  socket.bind(0, address);
  await once(socket, "listening");
  t.trace.namePort(socket.address().port, `port of ${actor}`);
  return socket;
}

const sent = (t, actor, what) => (error, bytes) => t.log(actor, `sent ${what}`, error ? describeError(error) : bytes);

function send(t, socket, ...args) {
  return new Promise((resolve) =>
    socket.send(...args, (error, bytes) => {
      sent(t, "client", "")(error, bytes);
      resolve();
    }),
  );
}

async function echo(t, options, address) {
  const server = await bound(t, "server", options, address);
  server.on("message", (bytes, { port, address: from }) => server.send(`re ${String(bytes)}`, port, from, sent(t, "server", "reply")));
  return server.address().port;
}

export const cases = {
  "datagrams: sends and hears, IPv4": async (t) => {
    const port = await echo(t);
    const client = make(t, "client");
    const answer = once(client, "message");
    await send(t, client, "hello", port, host);
    await answer;
    t.log("client", "queue", [client.getSendQueueSize(), client.getSendQueueCount()]);
    client.close();
    await once(client, "close");
  },

  "datagrams: sends and hears, IPv6": async (t) => {
    const port = await echo(t, "udp6", "::1");
    const client = make(t, "client", "udp6");
    const answer = once(client, "message");
    await send(t, client, Buffer.from("hello"), port, "0:0::1");
    await answer;
  },

  "datagrams: forms of send": async (t) => {
    const server = await bound(t, "server");
    const { port } = server.address();
    const client = make(t, "client");
    const all = new Promise((resolve) => {
      let count = 0;
      server.on("message", () => ++count === 7 && resolve());
    });
    await send(t, client, "text", port);
    await send(t, client, ["a", Buffer.from("b"), new Uint8Array([99])], port, host);
    await send(t, client, Buffer.from("0123456789"), 2, 3, port, host);
    await send(t, client, new DataView(new ArrayBuffer(4), 1, 2), port, host);
    await send(t, client, [], port, host);
    await send(t, client, "name", port, "localhost");
    t.log("client", "returns", client.send("no callback", port, host));
    await all;
  },

  "datagrams: connected": async (t) => {
    const port = await echo(t);
    const client = make(t, "client");
    client.connect(port, host);
    await once(client, "connect");
    t.log("client", "remote", client.remoteAddress().address);
    const answer = once(client, "message");
    await send(t, client, "hello");
    await answer;
    t.attempt("client", "send with a port", () => client.send("x", port));
    t.attempt("client", "connect again", () => client.connect(port));
    client.disconnect();
    t.attempt("client", "remoteAddress", () => client.remoteAddress());
    t.attempt("client", "send without a port", () => client.send("x"));
    const again = once(client, "message");
    await send(t, client, "unconnected", port, host);
    await again;
  },

  "datagrams: sends before it is bound, in order": async (t) => {
    const port = await echo(t);
    const client = make(t, "client");
    for (const word of ["one", "two", "three"]) client.send(word, port, host, sent(t, "client", word));
    for (let n = 0; n < 3; n++) await once(client, "message");
  },

  "datagrams: arguments that are refused": async (t) => {
    const client = make(t, "client");
    for (const args of [[], ["x"], ["x", 0, host], ["x", 70000, host], [7, 1, host], [[7], 1, host], ["x", 1, 7], ["x", 5, 5, 1, host]]) {
      t.attempt("client", `send(${JSON.stringify(args)})`, () => client.send(...args));
    }
  },

  "datagrams: errors of the kernel": async (t) => {
    const client = make(t, "client");
    await send(t, client, Buffer.alloc(65_508), 9, host);
    await send(t, client, "x", 9, "127.255.255.255");
    await send(t, client, "x", 9, "nope.invalid");
    const six = make(t, "six", "udp6");
    await send(t, six, "x", 9, host);
    six.send("x", 9, "nope.invalid");
    await once(six, "error");
  },

  "datagrams: a closed port is told on a connected socket": async (t) => {
    const gone = await bound(t, "gone");
    const { port } = gone.address();
    gone.close();
    await once(gone, "close");
    const client = make(t, "client");
    client.connect(port, host);
    await once(client, "connect");
    const failed = once(client, "error").catch((error) => error);
    client.send("x");
    await failed;
  },

  "datagrams: closing": async (t) => {
    const port = await echo(t);
    const client = make(t, "client");
    await send(t, client, "x", port, host);
    client.close(() => t.log("client", "close callback"));
    t.attempt("client", "send", () => client.send("x", port, host));
    t.attempt("client", "close", () => client.close());
    t.attempt("client", "address", () => client.address());
    await once(client, "close");
    const never = make(t, "never");
    never.close();
    await once(never, "close");
    const early = make(t, "early");
    early.send("queued", port, host, sent(t, "early", "queued"));
    early.close();
    await once(early, "close");
  },

  "datagrams: an aborted signal closes": async (t) => {
    const abort = new AbortController();
    const client = make(t, "client", { type: "udp4", signal: abort.signal });
    const port = await echo(t);
    await send(t, client, "x", port, host);
    abort.abort();
    await once(client, "close");
  },

  "datagrams: ref, unref and options": async (t) => {
    const client = await bound(t, "client");
    t.log("client", "unref", client.unref() === client);
    t.log("client", "ref", client.ref() === client);
    client.setBroadcast(true);
    t.log("client", "ttl", [client.setTTL(5), client.setMulticastTTL(3), client.setMulticastLoopback(true)]);
    await send(t, client, "x", 9, "127.255.255.255");
    t.log("client", "buffers", client.getRecvBufferSize() > 0 && client.getSendBufferSize() > 0);
  },

  "datagrams: a lookup of its own, a subclass": async (t) => {
    const port = await echo(t);
    class Mine extends dgram.Socket {
      send(...args) {
        t.log("client", "my send", args.length);
        return super.send(...args);
      }
    }
    const client = new Mine({
      type: "udp4",
      lookup: (name, family, callback) => {
        t.log("client", "lookup", [name, family]);
        callback(null, host, 4);
      },
    });
    client.on("message", (bytes) => t.log("client", "message", String(bytes)));
    t.cleanup(() => client.close());
    await send(t, client, "x", port, "some.name");
    await once(client, "message");
  },

  "datagrams: keeps the async context of its listeners": async (t) => {
    const storage = new AsyncLocalStorage();
    const port = await echo(t);
    const mark = (event) => () => t.log("context", event, storage.getStore() ?? "none");
    await storage.run("maker", async () => {
      const client = make(t, "client");
      for (const event of ["listening", "message", "close"]) client.on(event, mark(event));
      storage.run("sender", () => client.send("x", port, host, mark("callback")));
      await once(client, "message");
      storage.run("closer", () => client.close(mark("close callback")));
      await once(client, "close");
    });
  },

  "datagrams: messages one by one": async (t) => {
    const server = await bound(t, "server");
    const client = make(t, "client");
    for (const word of ["one", "two", "three"]) client.send(word, server.address().port, host);
    for (let n = 0; n < 3; n++) t.log("server", "heard", String((await once(server, "message"))[0]));
  },
};
