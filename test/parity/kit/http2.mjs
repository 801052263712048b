// How HTTP/2 sessions and streams appear in a trace.
import http2 from "node:http2";
import { addressesOf } from "./describe.mjs";
import { headersOf } from "./http.mjs";
import { certificates } from "./tls.mjs";

const host = "127.0.0.1";

export async function serve(t, onStream, { secure = true, ...options } = {}) {
  const server = secure ? http2.createSecureServer({ ...certificates.localhost, ...options }) : http2.createServer(options);
  const sessions = [];
  server.on("session", (session) => {
    sessions.push(session);
    // Whether the server still reads the client's last GOAWAY before the connection closes is a race.
    session.on("error", (error) => t.logError("server session", "error", error));
    session.once("close", () => t.log("server session", "close"));
  });
  server.on("sessionError", (error) => t.log("server", "sessionError", error?.code ?? error?.message));
  server.on("stream", (stream, headers) => {
    const actor = `server stream ${stream.id}`;
    t.log(actor, "stream", headersOf(headers));
    watchStream(t, stream, actor);
    onStream(stream, headers);
  });
  server.on("timeout", () => {});
  return { server, port: await t.serve(server), secure, sessions };
}

function watchStream(t, stream, actor) {
  stream.on("response", (headers) => t.log(actor, "response", headersOf(headers)));
  stream.on("headers", (headers) => t.log(actor, "headers", headersOf(headers)));
  stream.on("continue", () => t.log(actor, "continue"));
  stream.on("trailers", (headers) => t.log(actor, "trailers", headersOf(headers)));
  stream.on("data", (chunk) => t.trace.addData(actor, chunk));
  stream.on("end", () => t.log(actor, "end"));
  stream.on("aborted", () => t.log(actor, "aborted"));
  stream.on("timeout", () => t.log(actor, "timeout"));
  stream.on("error", (error) => t.logError(actor, "error", error));
  stream.on("close", () => t.log(actor, "close", { rst: stream.rstCode, aborted: stream.aborted, destroyed: stream.destroyed }));
  return stream;
}

export function connect(t, { port, secure }, options = {}) {
  const url = `${secure ? "https" : "http"}://localhost:${port}`;
  const session = http2.connect(url, { ca: certificates.authority, host, ...options });
  const state = () => ({ destroyed: session.destroyed, closed: session.closed, connecting: session.connecting });
  session.on("connect", (_, socket) => {
    t.trace.namePort(socket.localPort, "port of session");
    t.log("session", "connect", { ...addressesOf(session.socket), alpn: session.alpnProtocol, encrypted: session.encrypted, ...state() });
  });
  session.on("remoteSettings", ({ maxFrameSize, enablePush }) => t.log("session settings", "remote", { maxFrameSize, enablePush }));
  session.on("goaway", (code, last) => t.log("session", "goaway", { code, last }));
  session.on("timeout", () => t.log("session", "timeout"));
  session.on("error", (error) => t.logError("session", "error", error));
  const closed = new Promise((resolve) =>
    session.on("close", () => {
      t.log("session", "close", state());
      resolve();
    }),
  );
  t.cleanup(() => session.destroy());
  return { session, closed };
}

export function request(t, session, headers = {}, { actor = "stream", body, end = true, ...options } = {}) {
  const stream = watchStream(t, session.request({ ":path": "/", ...headers }, { endStream: false, ...options }), actor);
  if (end) stream.end(body);
  return { stream, done: t.event(stream, "close") };
}
