// TLS from the first byte.
import net from "node:net";
import tls from "node:tls";
import { closedPort } from "../kit/case.mjs";
import { certificates, connectSecure, echoSecure, listenSecure, secureStateOf, watchSecure } from "../kit/tls.mjs";

/** Talks to an echo server with these options on either side. */
const echo = (clientOptions, serverOptions) => async (t) => {
  const server = await echoSecure(t, serverOptions);
  await t.talk(connectSecure(t, server, clientOptions));
};

/** The handshake fails: the trace is that of the failure. */
const fails = (clientOptions, serverOptions) => async (t) => {
  const server = await echoSecure(t, serverOptions);
  const socket = connectSecure(t, server, clientOptions);
  await t.closed(socket);
  await t.sleep(20);
};

/** The peer speaks TCP only, and does this. */
const plain = (onSocket, options) => async (t) => {
  const server = await t.listen(onSocket, { watch: { data: false, bytes: false, ...options } });
  await t.closed(connectSecure(t, server));
};

export const cases = {
  "TLS with its defaults": echo({}),
  "TLS 1.2": echo({ maxVersion: "TLSv1.2" }),
  "TLS 1.3": echo({ minVersion: "TLSv1.3" }),
  "TLS over localhost": echo({ host: "localhost" }),
  "TLS that selects a protocol": echo({ ALPNProtocols: ["h2", "http/1.1"] }, { ALPNProtocols: ["http/1.1"] }),
  "TLS without a common protocol": fails({ ALPNProtocols: ["spdy"] }, { ALPNProtocols: ["http/1.1"] }),
  "TLS with a client certificate": echo({ ...certificates.client }, { requestCert: true, ca: certificates.authority }),
  "TLS with a certificate that is not asked for": echo({ ...certificates.client }),
  "TLS with an unknown authority": fails({ ca: [] }),
  "TLS with a self-signed certificate": fails({}, certificates.selfSigned),
  "TLS with a self-signed certificate, accepted": echo({ rejectUnauthorized: false }, certificates.selfSigned),
  "TLS with the wrong name": fails({ servername: "other.test" }),
  "TLS with an own identity check": fails({ checkServerIdentity: () => new Error("not the one I know") }),
  "TLS without a common version": fails({ maxVersion: "TLSv1.2" }, { minVersion: "TLSv1.3" }),
  "TLS without a common cipher": fails({ maxVersion: "TLSv1.2", ciphers: "ECDHE-RSA-AES128-GCM-SHA256" }),
  "TLS without the certificate that the server wants, 1.2": fails(
    { maxVersion: "TLSv1.2" },
    { requestCert: true, ca: certificates.authority },
  ),

  "TLS without the certificate that the server wants, 1.3": async (t) => {
    const server = await echoSecure(t, { requestCert: true, ca: certificates.authority });
    // The client is connected before it hears of the refusal.
    await t.closed(connectSecure(t, server, { minVersion: "TLSv1.3" }));
    await t.sleep(20);
  },

  "TLS with a name per host": async (t) => {
    const contexts = {
      "first.test": tls.createSecureContext(certificates.first),
      "second.test": tls.createSecureContext(certificates.second),
    };
    const SNICallback = (name, callback) => {
      t.log("names", "asked", name);
      callback(null, contexts[name]);
    };
    const server = await echoSecure(t, { SNICallback });
    await t.talk(connectSecure(t, server, { servername: "second.test" }), "two");
    await t.talk(connectSecure(t, server, { servername: "first.test" }, { actor: "client 2" }), "one");
    await t.allClosed();
  },

  "TLS resumes a session, 1.3": async (t) => {
    const server = await echoSecure(t);
    const first = connectSecure(t, server);
    const session = new Promise((resolve) => first.once("session", resolve));
    await t.talk(first);
    const second = connectSecure(t, server, { session: await session }, { actor: "client 2" });
    await t.talk(second);
  },

  "TLS resumes a session, 1.2": async (t) => {
    const server = await echoSecure(t, { maxVersion: "TLSv1.2" });
    const first = connectSecure(t, server);
    const session = new Promise((resolve) => first.once("session", resolve));
    await t.talk(first);
    const second = connectSecure(t, server, { session: await session }, { actor: "client 2" });
    await t.talk(second);
  },

  "TLS writes before the handshake": async (t) => {
    const server = await echoSecure(t);
    const socket = connectSecure(t, server);
    t.log("client", "write returns", socket.write("early"));
    socket.end(" end");
  },

  "TLS ends first": async (t) => {
    const server = await listenSecure(t, (socket) => socket.on("data", () => {}));
    connectSecure(t, server).end("the end");
  },

  "the TLS server ends first": async (t) => {
    const server = await listenSecure(t, (socket) => socket.end("goodbye"));
    await t.closed(connectSecure(t, server));
  },

  "TLS half open on both sides": async (t) => {
    const onSocket = (socket) => socket.on("end", () => setTimeout(() => socket.end("late"), 30));
    const server = await listenSecure(t, onSocket, { allowHalfOpen: true });
    connectSecure(t, server, { allowHalfOpen: true }).end("question");
  },

  "TLS transfers two megabytes each way": async (t) => {
    const server = await echoSecure(t);
    const socket = connectSecure(t, server);
    socket.end(Buffer.alloc(2_000_000, "tls "));
    await t.allClosed();
    t.trace.drop((actor) => actor.endsWith(", writing"));
  },

  "TLS is destroyed before the handshake": async (t) => {
    const server = await echoSecure(t);
    const socket = connectSecure(t, server);
    socket.destroy();
    await t.sleep(30);
  },

  "TLS is destroyed in the connect handler": async (t) => {
    const server = await t.listen((socket) => socket.resume(), { watch: { data: false, bytes: false } });
    const socket = connectSecure(t, server);
    socket.on("connect", () => socket.destroy());
    await server.socket();
  },

  "TLS is destroyed in the secureConnect handler": async (t) => {
    const server = await listenSecure(t, () => {}, { maxVersion: "TLSv1.2" });
    const socket = connectSecure(t, server);
    socket.on("secureConnect", () => socket.destroy());
    await t.closed(socket);
    await t.sleep(30);
  },

  "the TLS server resets an open connection": async (t) => {
    const server = await t.listen(
      (socket) => {
        const secure = new tls.TLSSocket(socket, { isServer: true, ...certificates.localhost });
        secure.on("error", () => {});
        secure.once("data", () => socket.resetAndDestroy());
      },
      { watch: { data: false, bytes: false } },
    );
    const socket = connectSecure(t, server, { maxVersion: "TLSv1.2" });
    await t.event(socket, "secureConnect");
    socket.write("reset me");
    await t.closed(socket);
  },

  "TLS is refused": async (t) => {
    await t.closed(connectSecure(t, { port: closedPort }));
  },

  "TLS to a server that resets at the first byte": plain((socket) => socket.once("data", () => socket.resetAndDestroy())),
  "TLS to a server that ends at the first byte": plain((socket) => socket.once("data", () => socket.end())),
  "TLS to a server that ends at once": plain((socket) => socket.resume().end()),
  "TLS to a server that speaks plain text": plain((socket) => socket.once("data", () => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"))),

  "TLS to a server that never answers": async (t) => {
    const server = await t.listen((socket) => socket.resume(), { watch: { data: false, bytes: false } });
    const socket = connectSecure(t, server, { timeout: 300 });
    await t.event(socket, "timeout");
    t.log("client", "handshake", secureStateOf(socket));
    socket.destroy();
  },

  "a plain client of a TLS server": async (t) => {
    const server = await echoSecure(t);
    const socket = t.watch(net.connect(server.port, "127.0.0.1"), "client", { data: false, bytes: false });
    socket.resume().write("GET / HTTP/1.1\r\n\r\n");
    await t.closed(socket);
  },

  "TLS on a lookup of several addresses": async (t) => {
    const server = await echoSecure(t);
    const addresses = [
      { address: "::1", family: 6 },
      { address: "127.0.0.1", family: 4 },
    ];
    const lookup = (_, options, callback) => setImmediate(() => callback(null, options.all ? addresses : addresses[1].address, 4));
    await t.talk(connectSecure(t, server, { host: "service.test", lookup }));
  },

  "TLS over a socket that is still connecting": async (t) => {
    const server = await echoSecure(t);
    const below = net.connect(server.port, "127.0.0.1");
    const socket = watchSecure(t, tls.connect({ socket: below, ca: certificates.authority, servername: "localhost" }), "client");
    await t.talk(socket);
  },
};
