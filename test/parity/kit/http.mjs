// How HTTP/1 requests and responses appear in a trace.
import http from "node:http";
import https from "node:https";
import { certificates } from "./tls.mjs";
import { describeError } from "./describe.mjs";

const unstable = new Set(["date"]);

export function headersOf(headers) {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, unstable.has(name) ? "<some>" : value]));
}

export function watchResponse(t, response, actor, { read = true } = {}) {
  const { statusCode, statusMessage, httpVersion, headers } = response;
  t.log(actor, "response", { statusCode, statusMessage, httpVersion, headers: headersOf(headers) });
  if (read) response.on("data", (chunk) => t.trace.addData(actor, chunk));
  response.on("end", () => t.log(actor, "response end", { complete: response.complete, trailers: response.trailers }));
  response.on("aborted", () => t.log(actor, "response aborted"));
  response.on("error", (error) => t.logError(actor, "response error", error));
  response.on("close", () => t.log(actor, "response close", { complete: response.complete, aborted: response.aborted }));
  return response;
}

/** Watches a request and what comes of it. `done` settles when the request is closed, and its response too. */
export function watchRequest(t, request, actor, { socket: socketOptions, read } = {}) {
  let responseClosed = Promise.resolve();
  request.on("socket", (socket) => {
    const known = sockets.has(socket);
    t.log(actor, "socket", { reused: request.reusedSocket, known });
    if (known) return;
    sockets.add(socket);
    t.watch(socket, `${actor} socket`, { data: false, bytes: false, ends: false, ...socketOptions });
  });
  for (const event of ["finish", "abort", "timeout", "continue"])
    request.on(event, () => t.log(event === "finish" ? `${actor}, writing` : actor, event));
  request.on("information", ({ statusCode, headers }) => t.log(actor, "information", { statusCode, headers }));
  request.on("response", (response) => {
    watchResponse(t, response, actor, { read });
    responseClosed = t.event(response, "close");
  });
  request.on("error", (error) => t.logError(actor, "error", error));
  const done = t.event(request, "close").then(() => responseClosed);
  request.on("close", () => t.log(actor, "close", { destroyed: request.destroyed, aborted: request.aborted }));
  return { request, done };
}
const sockets = new WeakSet();

/** The response, once its first bytes were delivered: they follow it in the same tick. */
export function responseWithData(request) {
  return new Promise((resolve) => request.on("response", (response) => response.once("data", () => resolve(response))));
}

export function send(t, server, options = {}, { actor = "request", body, end = true, ...watch } = {}) {
  const module = options.protocol === "https:" ? https : http;
  const watched = watchRequest(t, module.request({ host: "127.0.0.1", port: server.port, agent: false, ...options }), actor, watch);
  if (end) watched.request.end(body);
  return watched;
}

/** A server whose requests are "server request", "server request 2" … */
export async function serveHttp(t, onRequest, { secure = false, host, ...options } = {}) {
  let count = 0;
  const handler = (request, response) => {
    count++;
    const actor = count === 1 ? "server request" : `server request ${count}`;
    t.log(actor, "request", {
      method: request.method,
      url: request.url,
      headers: headersOf(request.headers),
      remotePort: request.socket.remotePort,
    });
    request.on("data", (chunk) => t.trace.addData(actor, chunk));
    request.on("end", () => t.log(actor, "end", { complete: request.complete, trailers: request.trailers }));
    request.on("error", (error) => t.log(actor, "error", describeError(error)));
    request.on("aborted", () => t.log(actor, "aborted"));
    // Whether a response finishes before its request closes, or after, depends on how chunks arrive.
    response.on("finish", () => t.log(`${actor}, response`, "finish"));
    response.on("close", () => t.log(`${actor}, response`, "close", { finished: response.writableFinished }));
    onRequest(request, response, count);
  };
  const module = secure ? https : http;
  const server = module.createServer({ ...(secure ? certificates.localhost : {}), ...options }, handler);
  server.on("clientError", (error, socket) => {
    t.logError("server", "clientError", error);
    socket.destroy();
  });
  const port = await t.serve(server, { host });
  return { server, port };
}
