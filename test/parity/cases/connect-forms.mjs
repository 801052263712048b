// The ways to ask for a connection.
import diagnostics from "node:diagnostics_channel";
import net from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PerformanceObserver } from "node:perf_hooks";
import { addressesOf, stateOf } from "../kit/describe.mjs";

const host = "127.0.0.1";

/** One case per overload: `open` returns the socket. */
const echo = (open, options) => async (t) => {
  const server = await t.echo(options);
  const socket = t.watch(open({ port: server.port, t }), "client");
  await t.talk(socket);
};
const called = (t) => () => t.log("client", "callback");

export const cases = {
  "net.connect(port)": echo(({ port }) => net.connect(port)),
  "net.connect(port, callback)": echo(({ port, t }) => net.connect(port, called(t))),
  "net.connect(port, host)": echo(({ port }) => net.connect(port, host)),
  "net.connect(port, host, callback)": echo(({ port, t }) => net.connect(port, host, called(t))),
  "net.connect(options)": echo(({ port }) => net.connect({ port, host })),
  "net.connect(options, callback)": echo(({ port, t }) => net.connect({ port, host }, called(t))),
  "net.connect with a port in a string": echo(({ port }) => net.connect(String(port), host)),
  "net.createConnection(options)": echo(({ port }) => net.createConnection({ port, host })),
  "net.connect({ port, host: 'localhost' })": echo(({ port }) => net.connect({ port, host: "localhost" })),
  "net.connect({ port, host: 'localhost', family: 4 })": echo(({ port }) => net.connect({ port, host: "localhost", family: 4 })),
  "new Socket().connect(port, host)": echo(({ port }) => new net.Socket().connect(port, host)),
  "new Socket(options).connect(options, callback)": echo(({ port, t }) =>
    new net.Socket({ allowHalfOpen: true, highWaterMark: 1000 }).connect({ port, host }, called(t)),
  ),
  "net.Stream is a socket as well": echo(({ port }) => new net.Stream().connect(port, host)),
  "a subclass of Socket": echo(({ port }) => new (class Mine extends net.Socket {})().connect(port, host)),
  "a socket that is called without new": echo(({ port }) => net.Socket().connect(port, host)),
  "connects to ::1": echo(({ port }) => net.connect(port, "::1"), { host: "::1" }),
  "connects to an IPv4 address mapped into IPv6": echo(({ port }) => net.connect(port, "::ffff:127.0.0.1"), { host: "::" }),
  "connects to 127.0.0.2": echo(({ port }) => net.connect(port, "127.0.0.2"), { host: "127.0.0.2" }),
  "connects to 0.0.0.0": echo(({ port }) => net.connect(port, "0.0.0.0")),
  "takes noDelay and keepAlive as options": echo(({ port }) =>
    net.connect({ port, host, noDelay: true, keepAlive: true, keepAliveInitialDelay: 1000 }),
  ),
  "uses a chosen local address": echo(({ port }) => net.connect({ port, host, localAddress: "127.0.0.1" })),
  "uses a local address other than the default": echo(({ port }) => net.connect({ port, host, localAddress: "127.0.0.5" })),
  "uses a local address of IPv6": echo(({ port }) => net.connect({ port, host: "::1", localAddress: "::1" }), { host: "::1" }),

  "uses a chosen local port": async (t) => {
    const server = await t.echo();
    const free = await t.listen(undefined, { name: "nobody" });
    t.trace.namePort(free.port, "chosen port");
    await new Promise((resolve) => free.server.close(resolve));
    const socket = t.watch(net.connect({ port: server.port, host, localPort: free.port }), "client");
    await t.event(socket, "connect");
    t.log("client", "has the chosen port", socket.localPort === free.port);
    await t.talk(socket);
  },

  "shows its state at each step of connecting": async (t) => {
    const server = await t.echo();
    const socket = new net.Socket();
    t.log("client", "new", { ...stateOf(socket), ...addressesOf(socket) });
    t.watch(socket, "client");
    t.log("client", "connect returns the socket", socket.connect(server.port, host) === socket);
    t.log("client", "connecting", { ...stateOf(socket), ...addressesOf(socket) });
    await t.event(socket, "connect");
    await t.talk(socket);
    await t.closed(socket);
    t.log("client", "closed", addressesOf(socket));
  },

  "knows no addresses when it is first asked after the end": async (t) => {
    const server = await t.echo();
    const socket = t.watch(net.connect(server.port, host), "client", { addresses: false });
    await t.talk(socket);
    await t.closed(socket);
    t.log("client", "closed", addressesOf(socket));
  },

  "sets socket options before, while and after connecting": async (t) => {
    const server = await t.echo();
    const socket = t.watch(new net.Socket(), "client");
    const set = (when) => {
      t.log("client", `${when}: setNoDelay`, socket.setNoDelay(true) === socket);
      t.log("client", `${when}: setNoDelay off`, socket.setNoDelay(false) === socket);
      t.log("client", `${when}: setKeepAlive`, socket.setKeepAlive(true, 500) === socket);
      t.log("client", `${when}: setEncoding`, socket.setEncoding("latin1") === socket);
    };
    set("before");
    socket.connect(server.port, host);
    set("while");
    await t.event(socket, "connect");
    set("after");
    await t.talk(socket);
    await t.closed(socket);
    set("closed");
  },

  "reads into a fixed buffer with onread": async (t) => {
    const server = await t.echo();
    const buffer = Buffer.alloc(4);
    let seen = "";
    const callback = (length, target) => {
      t.log("client", "same buffer", target === buffer && length <= 4);
      seen += target.toString("latin1", 0, length);
      if (seen.length >= 4) socket.end();
      return true;
    };
    const socket = t.watch(net.connect({ port: server.port, host, onread: { buffer, callback } }), "client", { data: false });
    socket.write("four");
    await t.closed(socket);
    t.log("client", "saw", seen);
  },

  "pauses and resumes reading with onread": async (t) => {
    const server = await t.listen((socket) => socket.end("x".repeat(50_000)));
    let total = 0;
    let pauses = 0;
    const callback = (length) => {
      total += length;
      if (pauses++ > 3) return true;
      setTimeout(() => socket.resume(), 5);
      return false;
    };
    const onread = { buffer: () => Buffer.alloc(1000), callback };
    const socket = t.watch(net.connect({ port: server.port, host, onread }), "client", { data: false });
    await t.closed(socket);
    t.log("client", "total", total);
  },

  "publishes new sockets on net.client.socket": async (t) => {
    const server = await t.echo();
    const onSocket = ({ socket }) => t.log("channel", "net.client.socket", stateOf(socket));
    diagnostics.subscribe("net.client.socket", onSocket);
    t.cleanup(() => diagnostics.unsubscribe("net.client.socket", onSocket));
    await t.talk(t.watch(net.connect(server.port, host), "client"));
  },

  "measures connects as performance entries": async (t) => {
    const server = await t.echo();
    const observer = new PerformanceObserver((list) => {
      for (const { name, entryType, detail } of list.getEntries()) t.log("performance", "entry", { name, entryType, detail });
    });
    observer.observe({ entryTypes: ["net"] });
    await t.talk(t.watch(net.connect(server.port, host), "client"));
    await t.sleep(20);
    observer.disconnect();
  },

  "opens fifty connections at once": async (t) => {
    const server = await t.listen((socket) => socket.pipe(socket), { watch: { data: false, addresses: false } });
    const talk = async (_, index) => {
      const socket = t.watch(net.connect(server.port, host), `client ${index}`);
      await t.talk(socket, `this is ${index}`);
    };
    await Promise.all(Array.from({ length: 50 }, talk));
    await t.allClosed();
    t.log("clients", "served", server.sockets.length);
    t.trace.drop((name) => name.startsWith("server"));
  },

  "connects again from a connect handler": async (t) => {
    const server = await t.echo({ watch: { data: false, addresses: false } });
    const first = t.watch(net.connect(server.port, host), "client");
    let second;
    first.on("connect", () => {
      second = t.watch(net.connect(server.port, host), "client 2");
    });
    await t.event(first, "connect");
    await t.event(second, "connect");
    await t.talk(second, "second");
    await t.talk(first, "first");
  },

  "leaves Unix-domain paths alone": async (t) => {
    if (process.platform === "win32") t.skip("no Unix-domain sockets here");
    const path = join(tmpdir(), `faultcore-parity-${process.pid}.sock`);
    const server = net.createServer((socket) => t.watch(socket, "server").pipe(socket)).listen(path);
    t.cleanup(() => new Promise((resolve) => server.close(resolve)));
    await t.event(server, "listening");
    await t.talk(t.watch(net.connect(path), "client"));
    await t.talk(t.watch(net.connect({ path }), "client 2"));
  },

  "reports a Unix-domain path that does not exist": async (t) => {
    const path = join(tmpdir(), "faultcore-parity-nobody.sock");
    t.watch(net.connect({ path }), "client");
  },
};
