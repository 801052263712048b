// TLS that starts on a connection which was something else before.
import net from "node:net";
import { Duplex } from "node:stream";
import tls from "node:tls";
import { stateOf } from "../kit/describe.mjs";
import { certificates, echoSecure, watchSecure } from "../kit/tls.mjs";

const host = "127.0.0.1";

/** A server that answers "STARTTLS\n" with "OK\n" and speaks TLS from then on. */
async function starttlsServer(t, onSecure = (secure) => secure.pipe(secure)) {
  return t.listen(
    (socket) => {
      t.log("server", "greets");
      socket.write("220 ready\n");
      socket.once("data", () => {
        socket.write("OK\n");
        const secure = new tls.TLSSocket(socket, { isServer: true, ...certificates.localhost });
        t.watch(secure, "secure server", { bytes: false, addresses: false });
        onSecure(secure, socket);
      });
    },
    { watch: { data: false, bytes: false } },
  );
}

/** The plain exchange up to the point where TLS starts. */
async function upgrade(t, server, options = {}) {
  const below = t.watch(net.connect(server.port, host), "below", { data: false, bytes: false });
  const next = () => new Promise((resolve) => below.once("data", (chunk) => resolve(String(chunk))));
  t.log("below", "heard", await next());
  below.write("STARTTLS\n");
  t.log("below", "heard", await next());
  const secure = tls.connect({ socket: below, ca: certificates.authority, servername: "localhost", ...options });
  return { below, secure: watchSecure(t, secure, "client", { addresses: false }) };
}

/** A stream that is not a socket: TLS reads and writes it through JavaScript. */
function duplexOver(socket) {
  const duplex = new Duplex({
    read: () => socket.resume(),
    write: (chunk, _, callback) => socket.write(chunk, callback),
    final: (callback) => {
      socket.end();
      callback();
    },
    destroy: (error, callback) => {
      socket.destroy();
      callback(error);
    },
  });
  socket.on("data", (chunk) => duplex.push(chunk) || socket.pause());
  socket.on("end", () => duplex.push(null));
  socket.on("error", (error) => duplex.destroy(error));
  return duplex;
}

export const cases = {
  STARTTLS: async (t) => {
    const server = await starttlsServer(t);
    const { secure, below } = await upgrade(t, server);
    await t.event(secure, "secureConnect");
    t.log("below", "state", stateOf(below, { bytes: false }));
    await t.talk(secure, "over TLS now");
  },

  "STARTTLS with TLS 1.2": async (t) => {
    const server = await starttlsServer(t);
    const { secure } = await upgrade(t, server, { maxVersion: "TLSv1.2" });
    await t.talk(secure, "over TLS now");
  },

  "STARTTLS, and the server resets": async (t) => {
    const server = await starttlsServer(t, (secure, socket) => {
      secure.once("data", () => socket.resetAndDestroy());
    });
    const { secure } = await upgrade(t, server, { maxVersion: "TLSv1.2" });
    await t.event(secure, "secureConnect");
    secure.write("reset me");
  },

  "STARTTLS, and the server ends": async (t) => {
    const server = await starttlsServer(t, (secure) => secure.once("data", () => secure.end("bye")));
    const { secure } = await upgrade(t, server);
    secure.write("please");
    await t.closed(secure);
  },

  "STARTTLS, and the client destroys": async (t) => {
    const server = await starttlsServer(t, () => {});
    const { secure } = await upgrade(t, server, { maxVersion: "TLSv1.2" });
    await t.event(secure, "secureConnect");
    secure.destroy();
  },

  "STARTTLS with the wrong name": async (t) => {
    const server = await starttlsServer(t, () => {});
    await upgrade(t, server, { servername: "other.test", maxVersion: "TLSv1.2" });
  },

  "STARTTLS with new TLSSocket": async (t) => {
    const server = await starttlsServer(t);
    const below = net.connect(server.port, host);
    await t.event(below, "data");
    below.write("STARTTLS\n");
    await t.event(below, "data");
    const secure = t.watch(new tls.TLSSocket(below, { ca: certificates.authority }), "client", { bytes: false });
    secure.on("secure", () =>
      t.log("client", "secure", { protocol: secure.getProtocol(), problem: secure.ssl.verifyError()?.code ?? null }),
    );
    await t.talk(secure, "by hand");
  },

  "TLS over a stream that is no socket": async (t) => {
    const server = await echoSecure(t);
    const below = net.connect(server.port, host);
    const secure = tls.connect({ socket: duplexOver(below), ca: certificates.authority, servername: "localhost" });
    watchSecure(t, secure, "client", { addresses: false });
    await t.talk(secure, "through JavaScript");
  },

  "TLS within TLS": async (t) => {
    const inner = { isServer: true, ...certificates.first };
    const server = tls.createServer(certificates.localhost, (outer) => {
      t.watch(outer, "outer server", { bytes: false, data: false });
      const secure = t.watch(new tls.TLSSocket(outer, inner), "inner server", { bytes: false });
      secure.pipe(secure);
    });
    const port = await t.serve(server);
    const outer = tls.connect({ port, host, ca: certificates.authority, servername: "localhost" });
    watchSecure(t, outer, "outer", { data: false });
    await t.event(outer, "secureConnect");
    const secure = tls.connect({ socket: outer, ca: certificates.authority, servername: "first.test" });
    watchSecure(t, secure, "client", { addresses: false });
    await t.talk(secure, "wrapped twice");
    await t.closed(secure);
    outer.destroy();
  },

  "TLS over an upgraded connection transfers a megabyte": async (t) => {
    const server = await starttlsServer(t);
    const { secure } = await upgrade(t, server);
    secure.end(Buffer.alloc(1_000_000, "up "));
    await t.allClosed();
    t.trace.drop((actor) => actor.endsWith(", writing"));
  },
};
