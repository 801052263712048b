// Many bytes, many messages, and back-pressure.
import net from "node:net";

const host = "127.0.0.1";
const big = 5_000_000;
/** The same bytes on every run, with no period that a lost or doubled chunk could hide behind. */
const bigBuffer = Buffer.alloc(big);
for (let i = 0, x = 1; i < big; i++) bigBuffer[i] = (x = (Math.imul(x, 1103515245) + 12345) >>> 0) >>> 24;

function open(t, server, options) {
  return t.watch(net.connect({ port: server.port, host, ...options }), "client");
}

/** Sends the big buffer in pieces, respecting back-pressure; the drains that takes are nobody's business. */
async function sendBig(socket, piece = 65_536) {
  for (let at = 0; at < big; at += piece) {
    if (!socket.write(bigBuffer.subarray(at, at + piece))) await new Promise((resolve) => socket.once("drain", resolve));
  }
  socket.end();
}

const withoutDrains = (t) => {
  t.trace.drop((actor) => actor.endsWith(", writing"));
};

export const cases = {
  "uploads five megabytes": async (t) => {
    const server = await t.listen();
    await sendBig(open(t, server));
    await t.allClosed();
    withoutDrains(t);
  },

  "downloads five megabytes": async (t) => {
    const server = await t.listen((socket) => sendBig(socket));
    open(t, server);
    await t.event(server.server, "connection");
    await t.allClosed();
    withoutDrains(t);
  },

  "uploads five megabytes in one write": async (t) => {
    const server = await t.listen();
    const socket = open(t, server);
    t.log("client", "write returns", socket.write(bigBuffer));
    socket.end();
  },

  "echoes five megabytes": async (t) => {
    const server = await t.echo();
    await sendBig(open(t, server));
    await t.allClosed();
    withoutDrains(t);
  },

  "sends many small writes": async (t) => {
    const server = await t.echo();
    const socket = open(t, server);
    for (let i = 0; i < 2000; i++) socket.write(`${i},`);
    await t.received(socket, 8890);
    socket.end();
  },

  "stalls on a server that does not read, and goes on": async (t) => {
    const server = await t.listen((socket) => socket.pause(), { watch: { data: false } });
    const socket = open(t, server);
    await t.event(socket, "connect");
    const piece = Buffer.alloc(256 * 1024, "x");
    let written = 0;
    let drained = true;
    while (drained && written < 512) {
      written++;
      if (!socket.write(piece)) drained = await Promise.race([t.event(socket, "drain").then(() => true), t.sleep(250).then(() => false)]);
    }
    t.log("result", "stalled", { drained, needDrain: socket.writableNeedDrain });
    const peer = await server.socket();
    let received = 0;
    peer.on("data", (chunk) => {
      received += chunk.length;
    });
    peer.resume();
    await t.event(socket, "drain");
    socket.end();
    await t.closed(peer);
    await t.allClosed();
    t.log("result", "received all", received === written * piece.length);
    // How much fits before it stalls is up to the kernel, and so is every count that follows from it.
    t.trace.drop((actor) => actor !== "result");
  },

  "pauses reading, and the server stalls": async (t) => {
    let stalled;
    const stalling = new Promise((resolve) => (stalled = resolve));
    let sent = 0;
    const server = await t.listen(async (socket) => {
      const piece = Buffer.alloc(256 * 1024, "y");
      for (let i = 0; i < 200; i++) {
        sent += piece.length;
        if (socket.write(piece)) continue;
        const drain = t.event(socket, "drain");
        const timer = setTimeout(stalled, 250, true);
        await drain;
        clearTimeout(timer);
      }
      stalled(false);
      socket.end();
    });
    const socket = t.watch(net.connect(server.port, host), "client", { data: false });
    let received = 0;
    socket.pause();
    socket.on("data", (chunk) => (received += chunk.length));
    t.log("result", "stalled", await stalling);
    t.log("result", "nothing read while paused", received === 0);
    socket.resume();
    await t.closed(socket);
    await t.allClosed();
    t.log("result", "received all", received === sent);
    withoutDrains(t);
  },

  "exchanges a hundred messages": async (t) => {
    const server = await t.echo();
    const socket = open(t, server, { noDelay: true });
    for (let i = 0; i < 100; i++) {
      socket.write("ping");
      await t.received(socket, 4 * (i + 1));
    }
    socket.end();
  },
};
