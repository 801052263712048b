/** They answer with what they were sent. */
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import { WebSocketServer } from "ws";
import { localhost } from "../../helpers/certificates.mjs";
import { listen } from "../../helpers/peers.ts";

interface Place {
  readonly port: number;
}

/** Longer than any run: a server that closes idle connections races with their use. */
const NEVER_MS = 3_600_000;

function answer(request: IncomingMessage, response: ServerResponse): void {
  request.on("error", () => {});
  request.pipe(response);
}

export function startHttp(): Promise<Place> {
  const server = http.createServer(answer);
  server.keepAliveTimeout = NEVER_MS;
  return listen(server);
}

export function startHttps(): Promise<Place> {
  const server = https.createServer(localhost, answer);
  server.keepAliveTimeout = NEVER_MS;
  server.on("tlsClientError", () => {});
  return listen(server);
}

export function startHttp2(): Promise<Place> {
  const server = http2.createSecureServer(localhost);
  server.on("stream", (stream) => {
    stream.on("error", () => {});
    stream.respond({ ":status": 200 });
    stream.pipe(stream);
  });
  server.on("sessionError", () => {});
  server.on("tlsClientError", () => {});
  return listen(server);
}

export async function startWebSocket(): Promise<Place> {
  const server = http.createServer();
  new WebSocketServer({ server }).on("connection", (socket) => {
    socket.on("error", () => {});
    socket.on("message", (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  return listen(server);
}
