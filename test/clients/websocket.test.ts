import { once } from "node:events";
import { createServer } from "node:http";
import { Server as SocketServer } from "socket.io";
import { io } from "socket.io-client";
import type { Socket } from "socket.io-client";
import { expect } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { listen } from "../helpers/peers.ts";
import { started } from "./kit/http-server.ts";
import type { Started } from "./kit/http-server.ts";
import { describeClient, limitOf } from "./kit/matrix.ts";
import type { At, ClientCase } from "./kit/matrix.ts";

/** It does not connect again by itself: the next use does. */
interface Echo {
  readonly url: string;
  socket: WebSocket;
}

const connect = async (echo: Echo): Promise<void> => {
  echo.socket = new WebSocket(echo.url, { perMessageDeflate: false });
  await once(echo.socket, "open");
  echo.socket.on("error", () => {});
};

let questions = 0;

/** The answers of several questions come in any order, and a connection that ends fails all of them. */
function ask(socket: WebSocket): Promise<void> {
  const question = `hello ${++questions}`;
  return new Promise((resolve, reject) => {
    // A server of ours sends text, in one piece.
    const onMessage = (data: unknown): void => void ((data as Buffer).toString() === question && finish(resolve));
    const onError = (error: Error): void => finish(() => reject(error));
    const onClose = (code: number): void => finish(() => reject(new Error(`closed: ${code}`)));
    const finish = (settle: () => void): void => {
      socket.off("message", onMessage).off("error", onError).off("close", onClose);
      settle();
    };
    socket.on("message", onMessage).on("error", onError).on("close", onClose);
    socket.send(question);
  });
}

describeClient<Echo>({
  name: "ws",
  start: async () => {
    const server = createServer();
    new WebSocketServer({ server }).on("connection", (socket) => {
      socket.on("error", () => {});
      socket.on("message", (data) => socket.send(data, { binary: false }));
    });
    return started(await listen(server));
  },
  open: async ({ host, port }) => {
    const echo = { url: `ws://${host}:${port}/` } as Echo;
    await connect(echo);
    return echo;
  },
  use: async (echo) => {
    if (echo.socket.readyState !== WebSocket.OPEN) await connect(echo);
    await ask(echo.socket);
  },
  close: ({ socket }) => socket.terminate(),
  // It has no time limit: what has not ended by then never will.
  limitMs: 800,
  multiplexed: "apart",
});

async function startSocketIo(): Promise<Started> {
  const server = createServer();
  const sockets = new SocketServer(server, { pingInterval: 60_000 });
  sockets.on("connection", (socket) => socket.on("echo", (value: unknown, answer: (value: unknown) => void) => answer(value)));
  return started(await listen(server));
}

function socketIoCase(name: string, transport: "websocket" | "polling"): ClientCase<{ readonly at: At; readonly socket: Socket }> {
  return {
    name,
    start: startSocketIo,
    open: async (at) => {
      const socket = io(`http://${at.host}:${at.port}`, {
        transports: [transport],
        forceNew: true,
        reconnectionDelay: 20,
        reconnectionDelayMax: 20,
      });
      await new Promise<void>((resolve, reject) => socket.once("connect", resolve).once("connect_error", reject));
      return { at, socket };
    },
    use: async ({ at, socket }) => expect(await socket.timeout(limitOf(at)).emitWithAck("echo", "hello")).toBe("hello"),
    close: ({ socket }) => socket.disconnect(),
    multiplexed: true,
    reconnects: true,
  };
}

describeClient(socketIoCase("socket.io-client, websocket", "websocket"));
describeClient(socketIoCase("socket.io-client, polling", "polling"));
