// How TLS sockets appear in a trace, and servers for them.
import tls from "node:tls";
import * as certificates from "../../helpers/certificates.mjs";
import { addressesOf, describeError } from "./describe.mjs";

export { certificates };

export function secureStateOf(socket) {
  const { authorized, encrypted, alpnProtocol, servername } = socket;
  const authorizationError =
    socket.authorizationError instanceof Error ? describeError(socket.authorizationError) : (socket.authorizationError ?? null);
  return {
    ...{ authorized, authorizationError, encrypted, alpnProtocol, servername },
    protocol: socket.getProtocol(),
    cipher: socket.getCipher()?.name,
    peer: socket.getPeerCertificate?.()?.subject?.CN,
    issuer: socket.getPeerCertificate?.()?.issuer?.CN,
    reused: socket.isSessionReused(),
  };
}

/** Byte counts of a TLS connection vary with the length of a signature, so they are left out. */
export function watchSecure(t, socket, actor, options = {}) {
  t.watch(socket, actor, { bytes: false, ...options });
  const log = () => t.log(actor, "secure", { ...secureStateOf(socket), ...(options.addresses === false ? {} : addressesOf(socket)) });
  socket.on("secureConnect", log);
  return socket;
}

export function connectSecure(t, server, options = {}, { actor = "client", ...watch } = {}) {
  const defaults = { port: server.port, host: "127.0.0.1", ca: certificates.authority, servername: "localhost" };
  return watchSecure(t, tls.connect({ ...defaults, ...options }), actor, watch);
}

/** Accepted sockets are "server", "server 2" …; failed handshakes go to the actor "handshakes". */
export async function listenSecure(t, onSocket = () => {}, options = {}, { data = true, host = "127.0.0.1" } = {}) {
  const sockets = [];
  const server = tls.createServer({ ...certificates.localhost, ...options }, (socket) => {
    const actor = sockets.length === 0 ? "server" : `server ${sockets.length + 1}`;
    sockets.push(socket);
    t.watch(socket, actor, { bytes: false, data });
    t.log(actor, "secure connection", { ...secureStateOf(socket), ...addressesOf(socket) });
    onSocket(socket);
  });
  server.on("tlsClientError", (error) => t.logError("handshakes", "tlsClientError", error));
  const port = await t.serve(server, { host });
  return { server, port, sockets };
}

export const echoSecure = (t, options, more) => listenSecure(t, (socket) => socket.pipe(socket), options, more);
