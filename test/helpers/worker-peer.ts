/** Peers in a thread of their own (`test/fixtures/peers`), and a line-wise talk with them. */
import { once } from "node:events";
import net from "node:net";
import { Worker } from "node:worker_threads";
import { localhost } from "./certificates.mjs";

export type PeerRole = "stamp" | "sink" | "source" | "http" | "https" | "h2" | "h2s";

export interface WorkerPeer extends AsyncDisposable {
  readonly port: number;
}

/** Starts a worker of `test/fixtures/peers`. */
export function peerWorker(name: string, workerData: unknown): Worker {
  return new Worker(new URL(`../fixtures/peers/${name}.mjs`, import.meta.url), { workerData, execArgv: [], env: {} });
}

/** A server that does not share the program's event loop. */
export async function workerPeer(
  role: PeerRole,
  options: { readonly bytes?: number; readonly greets?: boolean } = {},
): Promise<WorkerPeer> {
  const worker = peerWorker("peer", { role, tls: localhost, ...options });
  const [port] = (await once(worker, "message")) as [number];
  return {
    port,
    [Symbol.asyncDispose]: async () => {
      await worker.terminate();
    },
  };
}

/** A connection on which lines are said and heard. */
export interface Talk {
  readonly socket: net.Socket;
  say(line: string): void;
  /** The next line that comes; rejects when the connection fails or ends before. */
  hear(): Promise<string>;
  /** Says a line and hears the next one. */
  ask(line: string): Promise<string>;
  close(): Promise<void>;
}

export async function talk(options: net.TcpNetConnectOpts): Promise<Talk> {
  const socket = net.connect({ noDelay: true, ...options });
  const conversation = converse(socket);
  await once(socket, "connect");
  return conversation;
}

export function converse(socket: net.Socket): Talk {
  const heard: string[] = [];
  const waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = [];
  let text = "";
  let failure: Error | undefined;
  const fail = (error: Error): void => {
    failure ??= error;
    for (const { reject } of waiting.splice(0)) reject(failure);
  };
  socket.setEncoding("utf8");
  socket.on("data", (chunk: string) => {
    text += chunk;
    const lines = text.split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) {
      const next = waiting.shift();
      if (next === undefined) heard.push(line);
      else next.resolve(line);
    }
  });
  socket.on("error", fail);
  socket.on("end", () => fail(new Error("the peer ended the connection")));
  socket.on("close", () => fail(new Error("the connection was closed")));
  const hear = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const line = heard.shift();
      if (line !== undefined) resolve(line);
      else if (failure !== undefined) reject(failure);
      else waiting.push({ resolve, reject });
    });
  const say = (line: string): void => {
    socket.write(`${line}\n`);
  };
  return {
    socket,
    say,
    hear,
    ask: (line) => {
      say(line);
      return hear();
    },
    close: async () => {
      if (socket.closed) return;
      socket.destroy();
      await once(socket, "close");
    },
  };
}
