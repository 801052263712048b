// fetch, as it comes with Node, and undici, as it is installed.
import * as undici from "undici";
import { closedPort } from "../kit/case.mjs";
import { describeError } from "../kit/describe.mjs";
import { headersOf, serveHttp } from "../kit/http.mjs";
import { silentPorts } from "../kit/silent.mjs";
import { certificates } from "../kit/tls.mjs";

const hello = (_, response) => response.end("hello");
const socketOnly = { watch: { bytes: false, addresses: false } };
const url = ({ port }, { secure = false, host = "127.0.0.1" } = {}) => `${secure ? "https" : "http"}://${host}:${port}/`;

/** Logs the outcome of a fetch. Both implementations answer alike, so most cases run with both. */
async function get(t, fetch, target, { actor = "fetch", headers = {}, ...options } = {}) {
  try {
    // Idle connections of the global agent would be part of the next case.
    const response = await fetch(target, { headers: { connection: "close", ...headers }, ...options });
    t.log(actor, "response", {
      status: response.status,
      headers: headersOf(Object.fromEntries(response.headers)),
      redirected: response.redirected,
    });
    const text = await response.text();
    t.log(actor, "text", text.length > 200 ? text.length : text);
  } catch (error) {
    t.logError(actor, "rejected", error);
  }
}

/** The server reads a request's head and then does this to the connection. */
const answer = (onSocket) => async (t, fetch) => {
  const server = await t.listen((socket) => socket.once("data", () => onSocket(socket)), socketOnly);
  await get(t, fetch, url(server));
};

const both = {
  GET: async (t, fetch) => get(t, fetch, url(await serveHttp(t, hello))),
  "GET from localhost": async (t, fetch) => get(t, fetch, url(await serveHttp(t, hello), { host: "localhost" })),
  "GET from ::1": async (t, fetch) => get(t, fetch, url(await serveHttp(t, hello, { host: "::1" }), { host: "[::1]" })),

  POST: async (t, fetch) => {
    const server = await serveHttp(t, (request, response) => request.pipe(response));
    await get(t, fetch, url(server), { method: "POST", body: "a body" });
  },

  "POST a stream": async (t, fetch) => {
    const server = await serveHttp(t, (request, response) => request.pipe(response));
    const body = new ReadableStream({
      async start(controller) {
        for (const part of ["one ", "two ", "three"]) {
          controller.enqueue(Buffer.from(part));
          await t.sleep(5);
        }
        controller.close();
      },
    });
    await get(t, fetch, url(server), { method: "POST", body, duplex: "half" });
  },

  "POST a megabyte": async (t, fetch) => {
    const server = await serveHttp(t, (request, response) => request.pipe(response));
    await get(t, fetch, url(server), { method: "POST", body: Buffer.alloc(1_000_000, "fetch ") });
  },

  "follows a redirect": async (t, fetch) => {
    const server = await serveHttp(t, (request, response, count) => {
      if (count > 1) response.end("there");
      else response.writeHead(302, { location: "/there" }).end();
    });
    await get(t, fetch, url(server));
  },

  "is refused": async (t, fetch) => get(t, fetch, `http://127.0.0.1:${closedPort + 1}/`),
  "is refused on localhost": async (t, fetch) => get(t, fetch, `http://localhost:${closedPort + 1}/`),
  "of an unknown name": async (t, fetch) => get(t, fetch, "http://nope.invalid/"),
  "of a self-signed server": async (t, fetch) => {
    const server = await serveHttp(t, hello, { secure: true, ...certificates.selfSigned });
    await get(t, fetch, url(server, { secure: true, host: "localhost" }));
  },

  "when the server ends without an answer": answer((socket) => socket.end()),
  "when the server resets without an answer": answer((socket) => socket.resetAndDestroy()),
  "when the server ends in the middle of a body": answer((socket) =>
    socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly a part"),
  ),
  "when the server does not speak HTTP": answer((socket) => socket.end("SSH-2.0-OpenSSH_9.9\r\n")),

  "when the server resets in the middle of a body": async (t, fetch) => {
    const server = await t.listen((socket) => {
      socket.once("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly a part"));
    }, socketOnly);
    const response = await fetch(url(server));
    const reader = response.body.getReader();
    t.log("fetch", "part", Buffer.from((await reader.read()).value).toString());
    (await server.socket()).resetAndDestroy();
    await reader.read().catch((error) => t.logError("fetch", "rejected", error));
  },

  "is aborted before it starts": async (t, fetch) => {
    const server = await serveHttp(t, hello);
    await get(t, fetch, url(server), { signal: AbortSignal.abort() });
  },

  "is aborted while it dials": async (t, fetch) => {
    const { ipv4 } = await silentPorts();
    await get(t, fetch, url({ port: ipv4 }), { signal: AbortSignal.timeout(100) });
  },

  "is aborted while it waits": async (t, fetch) => {
    const controller = new AbortController();
    const server = await serveHttp(t, () => controller.abort(new Error("my reason")));
    await get(t, fetch, url(server), { signal: controller.signal });
    await t.sleep(20);
  },

  "is aborted in the middle of a body": async (t, fetch) => {
    const server = await serveHttp(t, (_, response) => response.write("first part"));
    const controller = new AbortController();
    const response = await fetch(url(server), { signal: controller.signal });
    const reader = response.body.getReader();
    t.log("fetch", "part", Buffer.from((await reader.read()).value).toString());
    controller.abort();
    await reader.read().catch((error) => t.logError("fetch", "rejected", error));
    await t.sleep(20);
  },
};

const withBoth = Object.entries(both).flatMap(([name, body]) => [
  [`fetch: ${name}`, (t) => body(t, globalThis.fetch)],
  [`undici's fetch: ${name}`, (t) => body(t, undici.fetch)],
]);

export const cases = {
  ...Object.fromEntries(withBoth),

  "undici's fetch: HTTPS": async (t) => {
    const server = await serveHttp(t, hello, { secure: true });
    const dispatcher = new undici.Agent({ connect: { ca: certificates.authority } });
    await get(t, undici.fetch, url(server, { secure: true, host: "localhost" }), { dispatcher });
    await dispatcher.destroy();
  },

  "an undici client uses its connection again": async (t) => {
    const server = await serveHttp(t, (request, response) => response.end(request.url));
    const client = new undici.Client(`http://127.0.0.1:${server.port}`);
    client.on("connect", () => t.log("client", "connect"));
    client.on("disconnect", (_, __, error) => t.log("client", "disconnect", describeError(error)));
    for (const path of ["/1", "/2", "/3"]) {
      const { statusCode, body } = await client.request({ path, method: "GET" });
      t.log("client", "answer", { statusCode, text: await body.text() });
    }
    await client.destroy();
  },

  "an undici client sends a pipeline": async (t) => {
    const server = await serveHttp(t, (request, response) => response.end(request.url));
    const client = new undici.Client(`http://127.0.0.1:${server.port}`, { pipelining: 4 });
    const ask = async (path) => {
      const { body } = await client.request({ path, method: "GET" });
      t.log("client", "answer", await body.text());
    };
    await Promise.all(["/1", "/2", "/3", "/4"].map(ask));
    await client.close();
  },

  "an undici pool opens several connections": async (t) => {
    const server = await serveHttp(t, (request, response) => setTimeout(() => response.end(request.url), 20));
    const pool = new undici.Pool(`http://127.0.0.1:${server.port}`, { connections: 3 });
    const ask = async (path) => {
      const { body } = await pool.request({ path, method: "GET" });
      t.log(`pool ${path}`, "answer", await body.text());
    };
    await Promise.all(["/1", "/2", "/3", "/4", "/5", "/6"].map(ask));
    await pool.close();
    t.trace.drop((actor) => actor.startsWith("server"));
  },

  "undici times out while it dials": async (t) => {
    const { ipv4 } = await silentPorts();
    const client = new undici.Client(`http://127.0.0.1:${ipv4}`, { connect: { timeout: 150 } });
    await client.request({ path: "/", method: "GET" }).catch((error) => t.logError("client", "rejected", error));
    await client.destroy();
  },

  "undici times out while it waits for the head": async (t) => {
    const server = await serveHttp(t, () => {});
    const client = new undici.Client(`http://127.0.0.1:${server.port}`, { headersTimeout: 200 });
    await client
      .request({ path: "/", method: "GET" })
      .catch((error) => t.log("client", "rejected", { name: error.name, code: error.code, message: error.message }));
    await client.destroy();
  },

  "undici through a proxy": async (t) => {
    const target = await serveHttp(t, hello, { secure: true });
    const net = await import("node:net");
    const http = await import("node:http");
    const proxy = http.createServer().on("connect", (request, socket) => {
      t.log("proxy", "connect", { url: request.url });
      socket.on("error", () => {});
      const upstream = net.connect(target.port, "127.0.0.1", () => {
        socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
        socket.pipe(upstream).pipe(socket);
      });
      upstream.on("error", () => {});
    });
    const port = await t.serve(proxy, { name: "proxy" });
    const dispatcher = new undici.ProxyAgent({ uri: `http://127.0.0.1:${port}`, requestTls: { ca: certificates.authority } });
    await get(t, undici.fetch, url(target, { secure: true, host: "localhost" }), { dispatcher });
    await dispatcher.destroy();
  },

  "undici speaks HTTP/2": async (t) => {
    const http2 = await import("node:http2");
    const server = http2.createSecureServer(certificates.localhost, (request, response) =>
      response.end(`${request.httpVersion} ${request.url}`),
    );
    const port = await t.serve(server);
    const client = new undici.Client(`https://localhost:${port}`, { allowH2: true, connect: { ca: certificates.authority } });
    const { statusCode, body } = await client.request({ path: "/h2", method: "GET" });
    t.log("client", "answer", { statusCode, text: await body.text() });
    await client.destroy();
  },
};
