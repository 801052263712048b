// Connects that do not succeed: refused, unreachable, impossible, given up, or given up on.
import net from "node:net";
import { closedPort } from "../kit/case.mjs";
import { describeError, stateOf } from "../kit/describe.mjs";
import { silentPorts } from "../kit/silent.mjs";

const host = "127.0.0.1";

/** Only addresses that the kernel refuses to route belong here: nothing of this suite may leave the machine. */
const fails = (options) => async (t) => {
  t.watch(net.connect(options), "client");
};

/** What each of these calls throws, or which error its socket emits. */
const arguments_ = {
  "no arguments": () => net.connect(),
  "no port": () => net.connect({ host }),
  "a port that is too large": () => net.connect(70_000, host),
  "a negative port": () => net.connect(-1, host),
  "a port that is no number": () => net.connect({ port: "http", host }),
  "a port that is an object": () => net.connect({ port: {}, host }),
  "a host that is a number": () => net.connect({ port: closedPort, host: 5 }),
  "a lookup that is no function": () => net.connect({ port: closedPort, host: "a.test", lookup: "dns" }),
  "a family that is none": () => net.connect({ port: closedPort, host: "localhost", family: 7 }),
  "hints that are none": () => net.connect({ port: closedPort, host: "localhost", hints: 12_345 }),
  "a local address that is none": () => net.connect({ port: closedPort, host, localAddress: "here" }),
  "a local port that is a string": () => net.connect({ port: closedPort, host, localPort: "1234" }),
  "autoSelectFamily that is no boolean": () => net.connect({ port: closedPort, host, autoSelectFamily: "yes" }),
  "an attempt timeout of zero": () => net.connect({ port: closedPort, host, autoSelectFamilyAttemptTimeout: 0 }),
  "a path that is a number": () => net.connect({ path: 5 }),
  "a signal that is none": () => net.connect({ port: closedPort, host, signal: "stop" }),
  "noDelay that is a string": () => net.connect({ port: closedPort, host, noDelay: "yes" }),
  "a negative timeout": () => net.connect({ port: closedPort, host, timeout: -1 }),
  "an unknown option": () => net.connect({ port: closedPort, host, unknown: 1 }),
};

function argumentsCase(open) {
  return async (t) => {
    const socket = t.attempt("call", "connect", open);
    if (socket !== undefined) t.watch(socket, "client");
    await t.until(() => socket === undefined || socket.closed);
    socket?.destroy();
  };
}

export const cases = {
  "127.0.0.1 refuses": fails({ port: closedPort, host }),
  "::1 refuses": fails({ port: closedPort, host: "::1" }),
  "localhost refuses": fails({ port: closedPort, host: "localhost" }),
  "refused with autoSelectFamily off": fails({ port: closedPort, host, autoSelectFamily: false }),
  "refused with a local address": fails({ port: closedPort, host, localAddress: host }),
  "refused by an IPv4 address mapped into IPv6": fails({ port: closedPort, host: "::ffff:127.0.0.1" }),
  "port 0": fails({ port: 0, host }),
  "a broadcast address": fails({ port: 80, host: "255.255.255.255" }),
  "a multicast address": fails({ port: 80, host: "224.0.0.1" }),
  "a multicast address of IPv6": fails({ port: 80, host: "ff02::1" }),
  "a link-local address without its link": fails({ port: 80, host: "fe80::1" }),
  "an unreachable address with a local one": fails({ port: 80, host: "255.255.255.255", localAddress: host }),
  "a local address that this machine does not have": fails({ port: closedPort, host, localAddress: "203.0.113.7" }),
  "a local address of the other family": fails({ port: closedPort, host: "::1", localAddress: host }),
  ...Object.fromEntries(Object.entries(arguments_).map(([name, open]) => [`connect with ${name}`, argumentsCase(open)])),

  "a local port that is taken": async (t) => {
    const server = await t.echo();
    const other = await t.listen(undefined, { name: "other" });
    t.watch(net.connect({ port: server.port, host, localPort: other.port }), "client");
  },

  "refused, then asked for its state": async (t) => {
    const socket = t.watch(net.connect(closedPort, host), "client");
    await t.event(socket, "error");
    t.log("client", "after the error", { ...stateOf(socket), address: socket.address() });
  },

  "refused with data already written": async (t) => {
    const socket = t.watch(net.connect(closedPort, host), "client");
    socket.write("early", (error) => t.logError("write", "callback", error));
    socket.end("more", (error) => t.logError("end", "callback", error));
  },

  "refused, then connects elsewhere": async (t) => {
    const server = await t.echo();
    const socket = t.watch(net.connect(closedPort, host), "client");
    await t.closed(socket);
    socket.connect(server.port, host);
    await t.event(socket, "connect");
    await t.talk(socket);
    await t.event(socket, "close");
  },

  "refused without an error listener": async () => {
    net.connect(closedPort, host);
    await new Promise((resolve) => process.once("uncaughtException", resolve));
  },

  "an address on the block list": async (t) => {
    const blockList = new net.BlockList();
    blockList.addAddress(host);
    const server = await t.echo({ name: "blocked server", watch: { addresses: false } });
    const socket = t.watch(net.connect({ port: server.port, host, blockList }), "client");
    await Promise.race([t.event(socket, "connect"), t.closed(socket)]);
    socket.destroy();
  },

  "is destroyed in the same tick": async (t) => {
    const server = await t.echo();
    t.watch(net.connect(server.port, host), "client").destroy();
    await t.sleep(30);
    t.log("servers", "connections", server.sockets.length);
  },

  "is destroyed with an error in the same tick": async (t) => {
    const server = await t.echo();
    t.watch(net.connect(server.port, host), "client").destroy(new Error("changed my mind"));
    await t.sleep(30);
    t.log("servers", "connections", server.sockets.length);
  },

  "is destroyed while it dials": async (t) => {
    const { ipv4 } = await silentPorts();
    const socket = t.watch(net.connect(ipv4, host), "client");
    await t.sleep(50);
    t.log("client", "dialling", stateOf(socket));
    socket.destroy();
  },

  "knows its local address while it dials": async (t) => {
    const { ipv4 } = await silentPorts();
    const socket = t.watch(net.connect(ipv4, host), "client");
    await t.sleep(50);
    t.log("client", "dialling", { address: socket.address(), pendingPeer: socket.remoteAddress });
    socket.destroy();
  },

  "ends while it dials": async (t) => {
    const { ipv4 } = await silentPorts();
    const socket = t.watch(net.connect(ipv4, host), "client");
    await t.sleep(50);
    socket.end("goodbye");
    t.log("client", "ended", stateOf(socket));
    await t.sleep(50);
    socket.destroy();
  },

  "is reset while it dials": async (t) => {
    const { ipv4 } = await silentPorts();
    const socket = t.watch(net.connect(ipv4, host), "client");
    await t.sleep(50);
    t.log("client", "resetAndDestroy returns the socket", socket.resetAndDestroy() === socket);
    await t.sleep(50);
    t.log("client", "still", stateOf(socket));
    socket.destroy();
  },

  "times out while it dials": async (t) => {
    const { ipv4 } = await silentPorts();
    const socket = t.watch(net.connect({ port: ipv4, host, timeout: 100 }), "client");
    await t.event(socket, "timeout");
    t.log("client", "after the timeout", stateOf(socket));
    socket.destroy(new Error("too slow"));
  },

  "is aborted before it connects": async (t) => {
    const server = await t.echo();
    const socket = t.watch(net.connect({ port: server.port, host, signal: AbortSignal.abort() }), "client");
    await t.event(socket, "ready");
    socket.destroy();
    t.log("servers", "connections", server.sockets.length);
  },

  "is aborted in the same tick": async (t) => {
    const server = await t.echo();
    const controller = new AbortController();
    t.watch(net.connect({ port: server.port, host, signal: controller.signal }), "client");
    controller.abort();
    await t.sleep(30);
    t.log("servers", "connections", server.sockets.length);
  },

  "is aborted while it dials": async (t) => {
    const { ipv4 } = await silentPorts();
    const controller = new AbortController();
    t.watch(net.connect({ port: ipv4, host, signal: controller.signal }), "client");
    await t.sleep(50);
    controller.abort(new Error("my reason"));
  },

  "is aborted after it connected": async (t) => {
    const server = await t.echo();
    const controller = new AbortController();
    const socket = t.watch(net.connect({ port: server.port, host, signal: controller.signal }), "client");
    socket.write("hello");
    await t.received(socket, 5);
    controller.abort();
  },

  "connects again after it closed": async (t) => {
    const server = await t.echo({ watch: { addresses: false } });
    const socket = t.watch(net.connect(server.port, host), "client", { addresses: false });
    await t.talk(socket);
    await t.closed(socket);
    t.log("client", "again");
    socket.connect(server.port, host);
    await t.event(socket, "connect");
    socket.end("bye");
    await t.event(socket, "close");
  },

  "is told to connect while it connects": async (t) => {
    const server = await t.echo({ watch: { addresses: false } });
    const socket = t.watch(net.connect(server.port, host), "client", { addresses: false });
    t.attempt("client", "second connect", () => socket.connect(server.port, host));
    await t.until(() => socket.closed);
    socket.destroy();
    // Whether the connection that is given up reached the server is a race.
    t.trace.drop((actor) => actor.startsWith("server"));
  },

  "is told to connect while it is connected": async (t) => {
    const server = await t.echo();
    const socket = t.watch(net.connect(server.port, host), "client");
    await t.event(socket, "connect");
    t.attempt("client", "second connect", () => socket.connect(server.port, host));
    await Promise.race([t.event(socket, "ready"), t.sleep(1000)]);
    socket.destroy();
  },

  "connects after it was destroyed": async (t) => {
    const server = await t.echo();
    const socket = new net.Socket();
    socket.destroy();
    await t.sleep(10);
    t.watch(socket, "client").connect(server.port, host);
    await t.event(socket, "connect");
    await t.talk(socket);
  },

  "an error in the connect callback": async (t) => {
    const server = await t.echo();
    const socket = t.watch(
      net.connect(server.port, host, () => {
        throw new Error("thrown by a listener");
      }),
      "client",
    );
    await new Promise((resolve) => process.once("uncaughtException", resolve));
    t.log("client", "after the exception", stateOf(socket));
    socket.destroy();
  },

  "events.once rejects with the error": async (t) => {
    const { once } = await import("node:events");
    await once(net.connect(closedPort, host), "connect").catch((error) => t.log("once", "rejected", describeError(error)));
  },
};
