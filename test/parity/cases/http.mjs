// HTTP/1.1 requests that succeed.
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { certificates } from "../kit/tls.mjs";
import { send, serveHttp } from "../kit/http.mjs";

const echoBody = (request, response) => request.pipe(response);
const hello = (_, response) => response.end("hello");

const freeSockets = (agent) => Object.values(agent.freeSockets).flat().length;

export const cases = {
  GET: async (t) => {
    const server = await serveHttp(t, hello);
    await send(t, server, { path: "/path?query" }).done;
  },

  "GET from localhost": async (t) => {
    const server = await serveHttp(t, hello);
    await send(t, server, { host: "localhost" }).done;
  },

  "GET from ::1": async (t) => {
    const server = await serveHttp(t, hello, { host: "::1" });
    await send(t, server, { host: "::1" }).done;
  },

  "GET with the global agent": async (t) => {
    const server = await serveHttp(t, hello);
    await send(t, server, { agent: undefined }, { socket: { addresses: false } }).done;
    http.globalAgent.destroy();
  },

  HEAD: async (t) => {
    const server = await serveHttp(t, hello);
    await send(t, server, { method: "HEAD" }).done;
  },

  POST: async (t) => {
    const server = await serveHttp(t, echoBody);
    await send(t, server, { method: "POST", headers: { "content-length": 9 } }, { body: "some body" }).done;
  },

  "POST in chunks, with trailers": async (t) => {
    const server = await serveHttp(t, (request, response) => {
      response.writeHead(200, { trailer: "x-check" });
      request.on("end", () => response.addTrailers({ "x-check": "done" })).pipe(response);
    });
    const { request, done } = send(t, server, { method: "POST", headers: { trailer: "x-sum" } }, { end: false });
    for (const part of ["one ", "two ", "three"]) {
      request.write(part);
      await t.sleep(5);
    }
    request.addTrailers({ "x-sum": "6" });
    request.end();
    await done;
  },

  "POST a megabyte and get it back": async (t) => {
    const server = await serveHttp(t, echoBody);
    const { done } = send(t, server, { method: "POST" }, { body: Buffer.alloc(1_000_000, "post ") });
    await done;
    t.trace.drop((actor) => actor.endsWith(", writing"));
  },

  "a response without end mark": async (t) => {
    const server = await t.listen((socket) => socket.once("data", () => socket.end("HTTP/1.0 200 OK\r\n\r\nuntil the end")));
    await send(t, server).done;
  },

  "a keep-alive agent uses a connection again": async (t) => {
    const server = await serveHttp(t, hello);
    const agent = new http.Agent({ keepAlive: true });
    for (const actor of ["first", "second", "third"]) {
      await send(t, server, { agent, path: `/${actor}` }, { actor }).done;
      await t.until(() => freeSockets(agent) === 1);
    }
    t.log("agent", "free", freeSockets(agent));
    agent.destroy();
  },

  "requests wait for the only connection": async (t) => {
    const server = await serveHttp(t, hello);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    await Promise.all(["first", "second", "third"].map((actor) => send(t, server, { agent, path: `/${actor}` }, { actor }).done));
    agent.destroy();
  },

  "requests in parallel": async (t) => {
    const server = await serveHttp(t, (request, response) => response.end(request.url));
    const names = Array.from({ length: 10 }, (_, index) => `request ${index}`);
    await Promise.all(names.map((actor) => send(t, server, { path: `/${actor.replace(" ", "-")}` }, { actor }).done));
    t.trace.drop((actor) => actor.startsWith("server"));
  },

  "Expect: 100-continue": async (t) => {
    const server = await serveHttp(t, echoBody);
    const { request, done } = send(t, server, { method: "POST", headers: { expect: "100-continue" } }, { end: false });
    request.flushHeaders();
    await t.event(request, "continue");
    request.end("after the continue");
    await done;
  },

  "early hints": async (t) => {
    const server = await serveHttp(t, (_, response) => {
      response.writeEarlyHints({ link: "</style.css>; rel=preload" });
      setTimeout(() => response.end("after the hints"), 10);
    });
    await send(t, server).done;
  },

  Upgrade: async (t) => {
    const server = await serveHttp(t, hello);
    server.server.on("upgrade", (request, socket, head) => {
      t.log("server", "upgrade", { url: request.url, head: String(head) });
      socket.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n");
      t.watch(socket, "upgraded server").pipe(socket);
    });
    const { request } = send(t, server, { headers: { connection: "Upgrade", upgrade: "echo" } });
    const [response, socket, head] = await t.event(request, "upgrade");
    t.log("request", "upgrade", { status: response.statusCode, head: String(head) });
    socket.on("data", (chunk) => t.trace.addData("upgraded", chunk));
    socket.write("not HTTP any more");
    await t.event(socket, "data");
    socket.end();
  },

  "Upgrade that is declined": async (t) => {
    const server = await serveHttp(t, hello);
    await send(t, server, { headers: { connection: "Upgrade", upgrade: "nothing" } }).done;
  },

  "a CONNECT tunnel": async (t) => {
    const target = await t.echo({ name: "target" });
    const proxy = http.createServer().on("connect", (request, socket, head) => {
      t.log("proxy", "connect", { url: request.url, head: String(head) });
      socket.on("error", () => {});
      const upstream = net.connect(target.port, "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
        socket.pipe(upstream).pipe(socket);
      });
    });
    const port = await t.serve(proxy, { name: "proxy" });
    const { request } = send(t, { port }, { method: "CONNECT", path: `127.0.0.1:${target.port}` });
    const [response, socket] = await t.event(request, "connect");
    t.log("request", "connect", { status: response.statusCode });
    socket.write("through the tunnel");
    const [chunk] = await t.event(socket, "data");
    t.log("request", "heard", String(chunk));
    socket.end();
  },

  "a CONNECT tunnel for HTTPS": async (t) => {
    const target = await serveHttp(t, hello, { secure: true });
    const proxy = http.createServer().on("connect", (_, socket) => {
      socket.on("error", () => {});
      const upstream = net.connect(target.port, "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
        socket.pipe(upstream).pipe(socket);
      });
      // Which of two ends comes first is a race, and whoever writes behind the other's is told so.
      upstream.on("error", () => {});
    });
    const port = await t.serve(proxy, { name: "proxy" });
    const { request } = send(t, { port }, { method: "CONNECT", path: "localhost:443" }, { actor: "tunnel" });
    const [, socket] = await t.event(request, "connect");
    const { authority: ca } = certificates;
    const options = { protocol: "https:", socket, ca, servername: "localhost", headers: { connection: "close" } };
    await send(t, target, options, { socket: { addresses: false } }).done;
    socket.destroy();
  },

  "responses in a pipeline": async (t) => {
    const server = await serveHttp(t, (request, response) => response.end(`answer to ${request.url}`));
    server.server.keepAliveTimeout = 20;
    const socket = t.watch(net.connect(server.port, "127.0.0.1"), "client", { data: false, bytes: false });
    let text = "";
    socket.on("data", (chunk) => (text += chunk));
    for (const path of ["/1", "/2", "/3"]) socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`);
    socket.end("GET /4 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    await t.closed(socket);
    t.log("answers", text.match(/answer to \/\d/g).join(", "));
  },

  HTTPS: async (t) => {
    const server = await serveHttp(t, hello, { secure: true });
    await send(t, server, { protocol: "https:", ca: certificates.authority, servername: "localhost" }).done;
  },

  "HTTPS with a keep-alive agent": async (t) => {
    const server = await serveHttp(t, hello, { secure: true });
    const agent = new https.Agent({ keepAlive: true, ca: certificates.authority, servername: "localhost" });
    for (const actor of ["first", "second"]) {
      await send(t, server, { protocol: "https:", agent }, { actor }).done;
      await t.until(() => freeSockets(agent) === 1);
    }
    agent.destroy();
  },

  "the agent resumes TLS sessions": async (t) => {
    const server = await serveHttp(t, hello, { secure: true });
    const agent = new https.Agent({ ca: certificates.authority, servername: "localhost" });
    for (const actor of ["first", "second"]) {
      const { request, done } = send(t, server, { protocol: "https:", agent }, { actor });
      const [response] = await t.event(request, "response");
      t.log(actor, "session reused", response.socket.isSessionReused());
      await done;
    }
    agent.destroy();
  },

  "http.get with a socket path is left alone": async (t) => {
    if (process.platform === "win32") t.skip("no Unix-domain sockets here");
    const socketPath = `/tmp/faultcore-parity-http-${process.pid}.sock`;
    const server = http.createServer(hello).listen(socketPath);
    t.cleanup(() => new Promise((resolve) => server.close(resolve)));
    await t.event(server, "listening");
    await send(t, {}, { socketPath, host: undefined }).done;
  },
};
