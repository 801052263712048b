// Connections that end with a reset, or after one.
import net from "node:net";
import { finished } from "node:stream/promises";
import { describeError, stateOf } from "../kit/describe.mjs";

const host = "127.0.0.1";

function open(t, server, options, watch) {
  return t.watch(net.connect({ port: server.port, host, ...options }), "client", watch);
}

const writeLogged = (t, socket, text) => {
  const label = `write ${text}`;
  t.log(
    "writes",
    `${label} returns`,
    socket.write(text, (error) => t.log("writes", `${label} called back`, error ? describeError(error) : null)),
  );
};

export const cases = {
  "the server resets at once": async (t) => {
    const server = await t.listen();
    const socket = open(t, server);
    // Not before: a reset that overtakes the connect event is a race on a direct connection, too.
    await t.event(socket, "connect");
    (await server.socket()).resetAndDestroy();
  },

  "the server resets after it sent something": async (t) => {
    const server = await t.listen(async (socket) => {
      socket.write("partial");
      await t.event(socket, "data");
      socket.resetAndDestroy();
    });
    const socket = open(t, server);
    await t.received(socket, 7);
    socket.write("go");
  },

  "the server resets right behind its last bytes": async (t) => {
    const server = await t.listen();
    const socket = open(t, server);
    await t.event(socket, "connect");
    const peer = await server.socket();
    peer.write("last words", () => peer.resetAndDestroy());
    await t.allClosed();
    // When both are there before the client reads, Linux reports the end of the stream in place of the reset.
    t.trace.drop((actor) => ["client", "client, writing"].includes(actor));
    t.log("result", "bytes read", socket.bytesRead);
  },

  "the server closes with unread data": async (t) => {
    const server = await t.listen(() => {}, { pauseOnConnect: true, watch: { data: false } });
    const socket = open(t, server);
    await t.event(socket, "connect");
    await new Promise((resolve) => socket.write("never read", resolve));
    await t.sleep(100);
    (await server.socket()).destroy();
  },

  "the server destroys while the client uploads": async (t) => {
    const server = await t.listen((socket) => socket.once("data", () => socket.destroy()), { watch: { bytes: false } });
    const socket = open(t, server, {}, { bytes: false });
    const errors = [];
    const send = () => {
      while (!socket.destroyed && socket.write(Buffer.alloc(65_536)));
    };
    socket.on("drain", send).on("error", (error) => errors.push(error.code));
    send();
    await t.closed(socket);
    // Whether a read or a write meets the reset first is a race.
    t.trace.drop((actor) => actor !== "result");
    t.log("result", "one error", errors.length === 1 && /^(ECONNRESET|EPIPE)$/.test(errors[0]));
  },

  "the client resets": async (t) => {
    const server = await t.listen();
    const socket = open(t, server);
    await t.event(socket, "connect");
    await server.socket();
    t.log("client", "returns the socket", socket.resetAndDestroy() === socket);
    t.log("client", "reset", stateOf(socket));
  },

  "the client resets after it sent something": async (t) => {
    const server = await t.listen();
    const socket = open(t, server);
    socket.write("hello");
    await t.received(await server.socket(), 5);
    socket.resetAndDestroy();
  },

  "the client resets before it is connected": async (t) => {
    const server = await t.listen();
    const socket = open(t, server);
    socket.resetAndDestroy();
  },

  "the client resets a socket that was never connected": async (t) => {
    const socket = t.watch(new net.Socket(), "client");
    socket.resetAndDestroy();
  },

  "the client resets after it ended": async (t) => {
    const server = await t.listen(() => {}, { allowHalfOpen: true });
    const socket = open(t, server);
    socket.end("done");
    const peer = await server.socket();
    await t.event(peer, "end");
    socket.resetAndDestroy();
    await t.sleep(100);
    peer.write("anybody there?");
  },

  "the client resets with bytes that the server did not read": async (t) => {
    const server = await t.listen(() => {}, { pauseOnConnect: true, watch: { data: false } });
    const socket = open(t, server);
    await t.event(socket, "connect");
    await new Promise((resolve) => socket.write("hello", resolve));
    await t.sleep(100);
    socket.resetAndDestroy();
    await t.sleep(100);
    (await server.socket()).resume();
  },

  "the client destroys with unread data": async (t) => {
    const server = await t.listen((socket) => socket.write(Buffer.alloc(300_000)), { watch: { bytes: false } });
    const socket = open(t, server, {}, { bytes: false, data: false }).pause();
    await t.event(socket, "connect");
    await t.sleep(150);
    socket.destroy();
  },

  "writes to a peer that closed, half open": async (t) => {
    const server = await t.listen((socket) => socket.destroy());
    const socket = open(t, server, { allowHalfOpen: true });
    await t.event(socket, "end");
    await t.sleep(100);
    for (const text of ["first", "second", "third"]) {
      writeLogged(t, socket, text);
      await t.sleep(100);
    }
    socket.destroy();
  },

  "writes twice to a peer that closed": async (t) => {
    const server = await t.listen((socket) => socket.destroy());
    const socket = open(t, server, { allowHalfOpen: true });
    await t.event(socket, "end");
    await t.sleep(100);
    writeLogged(t, socket, "first");
    await t.sleep(100);
    socket.end("second");
  },

  "a reset is noticed without a data listener": async (t) => {
    const server = await t.listen((socket) => setTimeout(() => socket.resetAndDestroy(), 20));
    const socket = open(t, server, {}, { data: false });
    await t.event(socket, "connect");
    await t.closed(await server.socket());
    await t.sleep(100);
    t.log("client", "noticed", stateOf(socket));
    writeLogged(t, socket, "first");
    await t.sleep(100);
    socket.destroy();
  },

  "finished() rejects after a reset": async (t) => {
    const server = await t.listen();
    const socket = open(t, server);
    socket.on("connect", async () => (await server.socket()).resetAndDestroy());
    await finished(socket).catch((error) => t.log("finished", "rejected", describeError(error)));
  },
};
