// The ways in which a connection ends.
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
  "the client ends, the server answers late": async (t) => {
    const server = await t.listen((socket) => socket.on("end", () => setTimeout(() => socket.end("late answer"), 50)), {
      allowHalfOpen: true,
    });
    open(t, server).end("question");
  },

  "the client ends, the server goes on for a while": async (t) => {
    const server = await t.listen(
      async (socket) => {
        await t.event(socket, "end");
        await t.sleep(60);
        for (const word of ["one ", "two ", "three"]) {
          socket.write(word);
          await t.sleep(20);
        }
        socket.end();
      },
      { allowHalfOpen: true },
    );
    const socket = open(t, server);
    await t.event(socket, "connect");
    socket.end();
    await t.sleep(10);
    t.log("client", "half closed", stateOf(socket));
  },

  "the server ends, the client follows by itself": async (t) => {
    const server = await t.listen((socket) => socket.end("goodbye"));
    open(t, server);
    await t.event(server.server, "connection");
  },

  "the server ends, the client stays half open": async (t) => {
    const server = await t.listen((socket) => socket.end("your turn"));
    const socket = open(t, server, { allowHalfOpen: true });
    await t.event(socket, "end");
    t.log("client", "half open", stateOf(socket));
    await t.sleep(30);
    socket.write("still ");
    await t.sleep(10);
    socket.end("here");
  },

  "the server ends, the half-open client uploads a megabyte": async (t) => {
    const server = await t.listen((socket) => socket.end());
    const socket = open(t, server, { allowHalfOpen: true });
    await t.event(socket, "end");
    socket.end(Buffer.alloc(1_000_000, "z"));
  },

  "both ends end at once": async (t) => {
    const server = await t.listen((socket) => socket.end("from the server"), { allowHalfOpen: true });
    open(t, server, { allowHalfOpen: true }).end("from the client");
  },

  "ends twice": async (t) => {
    const server = await t.echo();
    const socket = open(t, server);
    socket.end("once", (error) => t.log("end", "first callback", { error: error ?? null }));
    socket.end((error) => t.log("end", "second callback", { error: error?.code ?? null }));
  },

  "writes after the end": async (t) => {
    const server = await t.echo();
    const socket = open(t, server);
    await t.event(socket, "connect");
    socket.end("last");
    writeLogged(t, socket, "too late");
  },

  "writes after destroy": async (t) => {
    const server = await t.echo();
    const socket = open(t, server);
    await t.event(socket, "connect");
    socket.destroy();
    writeLogged(t, socket, "too late");
  },

  "never reads, and the server ends": async (t) => {
    const server = await t.listen((socket) => socket.end("unread"));
    const socket = open(t, server, {}, { data: false });
    await t.event(await server.socket(), "finish");
    await t.until(() => socket.bytesRead === 6);
    t.log("client", "not read", stateOf(socket));
    socket.destroy();
  },

  "the client destroys an idle connection": async (t) => {
    const server = await t.echo();
    const socket = open(t, server);
    await t.event(socket, "connect");
    await server.socket();
    socket.destroy();
    socket.destroy(new Error("the second call does nothing"));
  },

  "the client destroys with an error": async (t) => {
    const server = await t.echo();
    const socket = open(t, server);
    await t.event(socket, "connect");
    socket.destroy(new RangeError("mine"));
  },

  "the client destroys in the connect handler": async (t) => {
    const server = await t.listen();
    const socket = open(t, server);
    socket.on("connect", () => socket.destroy());
    await server.socket();
  },

  "the client destroys in the data handler": async (t) => {
    const server = await t.listen((socket) => socket.write("hello"));
    const socket = open(t, server);
    socket.on("data", () => socket.destroy());
    await server.socket();
  },

  "the client destroys in the end handler": async (t) => {
    const server = await t.listen((socket) => socket.end("hello"));
    const socket = open(t, server);
    socket.on("end", () => socket.destroy());
    await server.socket();
  },

  "destroySoon delivers what was written": async (t) => {
    const server = await t.listen();
    const socket = open(t, server);
    await t.event(socket, "connect");
    socket.write(Buffer.alloc(300_000, "s"));
    socket.destroySoon();
    await server.socket();
  },

  "destroySoon before it is connected": async (t) => {
    const server = await t.listen();
    const socket = open(t, server);
    socket.write("soon");
    socket.destroySoon();
  },

  "destroy right after a write that the kernel took": async (t) => {
    const server = await t.listen();
    const socket = open(t, server);
    await t.event(socket, "connect");
    writeLogged(t, socket, "taken");
    socket.destroy();
    await server.socket();
  },

  "an idle timeout": async (t) => {
    const server = await t.listen();
    const socket = open(t, server);
    socket.setTimeout(200, () => t.log("client", "timeout callback"));
    await t.event(socket, "timeout");
    t.log("client", "still open", stateOf(socket));
    socket.end();
  },

  "traffic puts the idle timeout off": async (t) => {
    const server = await t.echo();
    const socket = open(t, server);
    await t.event(socket, "connect");
    socket.setTimeout(300);
    for (let i = 0; i < 8; i++) {
      socket.write(".");
      await t.sleep(60);
    }
    socket.setTimeout(0);
    t.log("client", "no timeout", stateOf(socket));
    socket.end();
  },

  "finished() resolves": async (t) => {
    const server = await t.echo();
    const socket = open(t, server);
    socket.end("all");
    await finished(socket);
    t.log("finished", "resolved");
  },

  "finished() rejects after an early close": async (t) => {
    const server = await t.listen();
    const socket = open(t, server);
    const outcome = finished(socket).catch((error) => t.log("finished", "rejected", describeError(error)));
    await t.event(socket, "connect");
    socket.destroy();
    await outcome;
  },

  "is disposed of asynchronously": async (t) => {
    if (Symbol.asyncDispose === undefined || net.Socket.prototype[Symbol.asyncDispose] === undefined) t.skip("not on this version");
    const server = await t.listen();
    const socket = open(t, server);
    await t.event(socket, "connect");
    await socket[Symbol.asyncDispose]();
    t.log("dispose", "done");
  },
};
