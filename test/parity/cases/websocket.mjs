// WebSocket: the ws package, and the client that comes with Node.
import https from "node:https";
import { WebSocket as Client, WebSocketServer } from "ws";
import { closedPort } from "../kit/case.mjs";
import { certificates } from "../kit/tls.mjs";

const socketOnly = { watch: { bytes: false, addresses: false } };

async function serve(t, onConnection, options = {}) {
  const server = new WebSocketServer({ noServer: true, ...options });
  const http = https.createServer(certificates.localhost);
  const plain = (await import("node:http")).createServer();
  const front = options.secure ? http : plain;
  front.on("upgrade", (request, socket, head) =>
    server.handleUpgrade(request, socket, head, (peer) => server.emit("connection", peer, request)),
  );
  server.on("connection", (peer) => {
    watch(t, peer, "server");
    onConnection(peer);
  });
  const port = await t.serve(front);
  return { server, port };
}

const text = (data) => (data.length > 200 ? `${data.length} bytes` : String(data));

function watch(t, socket, actor) {
  socket.on("open", () => t.log(actor, "open", { protocol: socket.protocol, extensions: socket.extensions }));
  socket.on("message", (data, binary) => t.log(actor, "message", { text: text(data), binary }));
  socket.on("ping", (data) => t.log(actor, "ping", String(data)));
  socket.on("pong", (data) => t.log(actor, "pong", String(data)));
  socket.on("unexpected-response", (_, response) => t.log(actor, "unexpected-response", response.statusCode));
  socket.on("error", (error) => t.logError(actor, "error", error));
  socket.on("close", (code, reason) => t.log(actor, "close", { code, reason: String(reason), state: socket.readyState }));
  t.cleanup(() => socket.terminate());
  return socket;
}

function open(t, { port }, options = {}, { secure = false, actor = "client" } = {}) {
  const socket = new Client(`${secure ? "wss" : "ws"}://localhost:${port}/`, options);
  return watch(t, socket, actor);
}

const echo = (peer) => peer.on("message", (data, binary) => peer.send(data, { binary }));

/** The WebSocket of Node, which the same server sees. */
async function native(t, server, onOpen) {
  if (globalThis.WebSocket === undefined) t.skip("no global WebSocket on this version");
  const socket = new globalThis.WebSocket(`ws://127.0.0.1:${server.port}/`);
  socket.addEventListener("open", () => {
    t.log("client", "open", { protocol: socket.protocol });
    onOpen?.(socket);
  });
  socket.addEventListener("message", ({ data }) => t.log("client", "message", text(data)));
  socket.addEventListener("error", ({ message, error }) => t.log("client", "error", { message, code: error?.code, name: error?.name }));
  const closed = new Promise((resolve) =>
    socket.addEventListener("close", ({ code, reason, wasClean }) => {
      t.log("client", "close", { code, reason, wasClean });
      resolve();
    }),
  );
  await closed;
}

export const cases = {
  "WebSocket echo": async (t) => {
    const server = await serve(t, echo);
    const socket = open(t, server);
    await t.event(socket, "open");
    for (const message of ["one", "two", Buffer.from("three")]) {
      socket.send(message);
      await t.event(socket, "message");
    }
    socket.close(1000, "done");
    await t.event(socket, "close");
  },

  "WebSocket over TLS": async (t) => {
    const server = await serve(t, echo, { secure: true });
    const socket = open(t, server, { ca: certificates.authority }, { secure: true });
    await t.event(socket, "open");
    socket.send("secret");
    await t.event(socket, "message");
    socket.close();
    await t.event(socket, "close");
  },

  "WebSocket with a large frame": async (t) => {
    const server = await serve(t, echo);
    const socket = open(t, server);
    await t.event(socket, "open");
    socket.send(Buffer.alloc(3_000_000, "frame "));
    const [data] = await t.event(socket, "message");
    t.log("client", "the same", data.equals(Buffer.alloc(3_000_000, "frame ")));
    socket.close();
    await t.event(socket, "close");
  },

  "WebSocket with a hundred messages": async (t) => {
    const server = await serve(t, echo);
    const socket = open(t, server);
    await t.event(socket, "open");
    let answers = 0;
    const answered = new Promise((resolve) => socket.on("message", () => ++answers === 100 && resolve()));
    for (let i = 0; i < 100; i++) socket.send(`message ${i}`);
    await answered;
    socket.close();
    await t.event(socket, "close");
  },

  "WebSocket with compression": async (t) => {
    const server = await serve(t, echo, { perMessageDeflate: { threshold: 0 } });
    const socket = open(t, server, { perMessageDeflate: { threshold: 0 } });
    await t.event(socket, "open");
    socket.send("compress me ".repeat(10));
    await t.event(socket, "message");
    socket.close();
    await t.event(socket, "close");
  },

  "WebSocket ping and pong": async (t) => {
    const server = await serve(t, () => {});
    const socket = open(t, server);
    await t.event(socket, "open");
    socket.ping("are you there");
    await t.event(socket, "pong");
    const [peer] = server.server.clients.size ? server.server.clients : [];
    peer?.ping("and you");
    if (peer !== undefined) await t.event(peer, "pong");
    socket.close();
    await t.event(socket, "close");
  },

  "the WebSocket server closes": async (t) => {
    const server = await serve(t, (peer) => setTimeout(() => peer.close(4001, "server says so"), 20));
    await t.event(open(t, server), "close");
  },

  "the WebSocket server terminates": async (t) => {
    const server = await serve(t, (peer) => setTimeout(() => peer.terminate(), 20));
    await t.event(open(t, server), "close");
  },

  "the WebSocket client terminates": async (t) => {
    const server = await serve(t, () => {});
    const socket = open(t, server);
    await t.event(socket, "open");
    socket.terminate();
    await t.event(socket, "close");
    await t.sleep(20);
  },

  "the WebSocket client terminates while it connects": async (t) => {
    const server = await t.listen(() => {}, socketOnly);
    const socket = open(t, server);
    await server.socket();
    socket.terminate();
    await t.event(socket, "close");
    await t.allClosed();
    t.trace.drop((actor) => actor === "server");
  },

  "a WebSocket is refused": async (t) => {
    await t.event(open(t, { port: closedPort }), "close");
  },

  "a WebSocket handshake that is answered with something else": async (t) => {
    const { port } = await t.listen(
      (socket) => socket.once("data", () => socket.end("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")),
      socketOnly,
    );
    const socket = open(t, { port });
    await t.event(socket, "unexpected-response");
    socket.terminate();
    await t.allClosed();
    t.trace.drop((actor) => actor === "server");
  },

  "a WebSocket handshake that is reset": async (t) => {
    const { port } = await t.listen((socket) => socket.once("data", () => socket.resetAndDestroy()), socketOnly);
    await t.event(open(t, { port }), "close");
    t.trace.drop((actor) => actor === "server");
  },

  "a WebSocket handshake that times out": async (t) => {
    const { port } = await t.listen(() => {}, socketOnly);
    await t.event(open(t, { port }, { handshakeTimeout: 300 }), "close");
    await t.allClosed();
    t.trace.drop((actor) => actor === "server");
  },

  "the WebSocket of Node": async (t) => {
    const server = await serve(t, echo);
    await native(t, server, (socket) => {
      socket.send("native");
      socket.addEventListener("message", () => socket.close(1000, "done"));
    });
  },

  "the WebSocket of Node when the server terminates": async (t) => {
    const server = await serve(t, (peer) => setTimeout(() => peer.terminate(), 20));
    await native(t, server);
  },

  "the WebSocket of Node is refused": async (t) => {
    await native(t, { port: closedPort + 1 });
  },
};
