// HTTP/1.1 requests that go wrong.
import http from "node:http";
import { closedPort } from "../kit/case.mjs";
import { responseWithData, send, serveHttp } from "../kit/http.mjs";
import { silentPorts } from "../kit/silent.mjs";
import { certificates } from "../kit/tls.mjs";

const socketOnly = { watch: { bytes: false, addresses: false } };

/** The server reads a request's head and then does this to the connection. */
const answer = (onSocket, options) => async (t) => {
  const server = await t.listen((socket) => socket.once("data", () => onSocket(socket, t)), socketOnly);
  await send(t, server, options).done;
};

const partial = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly a part";
const partialChunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";

const freeSockets = (agent) => Object.values(agent.freeSockets).flat().length;

export const cases = {
  "a request is refused": async (t) => {
    await send(t, { port: closedPort }).done;
  },
  "a request to localhost is refused": async (t) => {
    await send(t, { port: closedPort }, { host: "localhost" }).done;
  },
  "a request to two addresses is refused": async (t) => {
    const addresses = [
      { address: "::1", family: 6 },
      { address: "127.0.0.1", family: 4 },
    ];
    const lookup = (_, options, callback) => setImmediate(() => callback(null, options.all ? addresses : "127.0.0.1", 4));
    await send(t, { port: closedPort }, { host: "service.test", lookup }).done;
  },
  "a request to an unknown name": async (t) => {
    await send(t, { port: 80 }, { host: "nope.invalid" }).done;
  },
  "a request to an unreachable address": async (t) => {
    await send(t, { port: 80 }, { host: "255.255.255.255" }).done;
  },
  "an HTTPS request to a plain server": async (t) => {
    const server = await serveHttp(t, (_, response) => response.end());
    await send(t, server, { protocol: "https:", ca: certificates.authority }).done;
  },
  "an HTTPS request with an unknown authority": async (t) => {
    const server = await serveHttp(t, (_, response) => response.end(), { secure: true });
    await send(t, server, { protocol: "https:" }).done;
  },

  "socket hang up: the server ends without an answer": answer((socket) => socket.end()),
  "socket hang up: the server destroys without an answer": answer((socket) => socket.destroy()),
  "the server resets without an answer": answer((socket) => socket.resetAndDestroy()),
  "the server ends in the middle of the head": answer((socket) => socket.end("HTTP/1.1 200 OK\r\nContent-")),
  "the server ends in the middle of a body": answer((socket) => socket.end(partial)),
  "the server ends in the middle of a chunked body": answer((socket) => socket.end(partialChunked)),
  "the server does not speak HTTP": answer((socket) => socket.end("SSH-2.0-OpenSSH_9.9\r\n")),
  "the server says too much": answer((socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nmore than two")),

  "the server resets in the middle of a body": async (t) => {
    const server = await t.listen((socket) => socket.once("data", () => socket.write(partial)), socketOnly);
    const { request, done } = send(t, server);
    await responseWithData(request);
    (await server.socket()).resetAndDestroy();
    await done;
  },

  "the server resets while a body is sent": async (t) => {
    const server = await t.listen(() => {}, socketOnly);
    const { request, done } = send(t, server, { method: "POST" }, { end: false });
    request.write("the first part");
    await t.received(await server.socket(), 20);
    (await server.socket()).resetAndDestroy();
    await done;
  },

  "a request is aborted before it has a socket": async (t) => {
    const server = await serveHttp(t, (_, response) => response.end());
    const { request, done } = send(t, server, {}, { end: false });
    request.destroy();
    await done;
  },

  "a request is aborted while it dials": async (t) => {
    const { ipv4 } = await silentPorts();
    const { request, done } = send(t, { port: ipv4 });
    await t.sleep(50);
    request.destroy();
    await done;
  },

  "a request is aborted while it waits": async (t) => {
    const server = await serveHttp(t, () => {});
    const { request, done } = send(t, server);
    await t.event(server.server, "request");
    request.destroy();
    await done;
    await t.sleep(20);
  },

  "a request is aborted with an own error": async (t) => {
    const server = await serveHttp(t, () => {});
    const { request, done } = send(t, server);
    await t.event(server.server, "request");
    request.destroy(new Error("my own"));
    await done;
    await t.sleep(20);
  },

  "a request is aborted by a signal": async (t) => {
    const server = await serveHttp(t, () => {});
    const controller = new AbortController();
    const { done } = send(t, server, { signal: controller.signal });
    await t.event(server.server, "request");
    controller.abort();
    await done;
    await t.sleep(20);
  },

  "a response is aborted": async (t) => {
    const server = await serveHttp(t, (_, response) => response.write("first part"));
    const { request, done } = send(t, server);
    const response = await responseWithData(request);
    response.destroy();
    await done;
    await t.sleep(20);
  },

  "a request times out": async (t) => {
    const server = await serveHttp(t, () => {});
    const { request, done } = send(t, server, { timeout: 300 });
    await t.event(request, "timeout");
    request.destroy();
    await done;
    await t.sleep(20);
  },

  "a request times out while it dials": async (t) => {
    const { ipv4 } = await silentPorts();
    const { request, done } = send(t, { port: ipv4 }, { timeout: 100 });
    await t.event(request, "timeout");
    request.destroy(new Error("connect timeout"));
    await done;
  },

  "setTimeout on a request that is answered late": async (t) => {
    const server = await serveHttp(t, (_, response) => setTimeout(() => response.end("late"), 600));
    const { request, done } = send(t, server);
    request.setTimeout(250);
    await done;
  },

  "a connection that the server closes while it is idle": async (t) => {
    const server = await t.listen((socket) => {
      socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    }, socketOnly);
    const agent = new http.Agent({ keepAlive: true });
    await send(t, server, { agent }, { actor: "first" }).done;
    await t.until(() => freeSockets(agent) === 1);
    const peer = await server.socket();
    peer.end();
    await t.closed(peer);
    await t.until(() => freeSockets(agent) === 0);
    t.log("agent", "free", freeSockets(agent));
    await send(t, server, { agent }, { actor: "second" }).done;
    agent.destroy();
  },

  "a connection that the server resets while it is idle": async (t) => {
    const server = await t.listen((socket) => {
      socket.on("data", () => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"));
    }, socketOnly);
    const agent = new http.Agent({ keepAlive: true });
    await send(t, server, { agent }, { actor: "first" }).done;
    await t.until(() => freeSockets(agent) === 1);
    (await server.socket()).resetAndDestroy();
    await t.until(() => freeSockets(agent) === 0);
    t.log("agent", "free", freeSockets(agent));
    await send(t, server, { agent }, { actor: "second" }).done;
    agent.destroy();
  },

  "the stale keep-alive race": async (t) => {
    const server = await t.listen((socket) => {
      let requests = 0;
      socket.on("data", () => {
        if (requests++ === 0) socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        else socket.destroy();
      });
    }, socketOnly);
    const agent = new http.Agent({ keepAlive: true });
    await send(t, server, { agent }, { actor: "first" }).done;
    await t.until(() => freeSockets(agent) === 1);
    await send(t, server, { agent }, { actor: "second" }).done;
    agent.destroy();
  },
};
