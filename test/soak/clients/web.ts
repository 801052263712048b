import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { Pool } from "undici";
import { WebSocket } from "ws";
import { authority } from "../../helpers/certificates.mjs";
import { OPERATION_MS, same, within } from "../client.ts";
import type { Client } from "../client.ts";

const fetched: Client = {
  name: "fetch",
  server: "http",
  pooled: true,
  poolsAll: true,
  connections: 16,
  // Its pool is Node's own, one for each origin.
  open: ({ host, port }) => ({
    use: async (text) => {
      const response = await fetch(`http://${host}:${port}/`, { method: "POST", body: text, signal: AbortSignal.timeout(OPERATION_MS) });
      same(text, await response.text());
    },
    close: () => {},
    destroy: () => {},
  }),
};

const undici: Client = {
  name: "undici Pool",
  server: "http",
  pooled: true,
  connections: 24,
  open: ({ host, port, connections }) => {
    const pool = new Pool(`http://${host}:${port}`, {
      connections,
      headersTimeout: OPERATION_MS,
      bodyTimeout: OPERATION_MS,
      connectTimeout: OPERATION_MS,
      keepAliveTimeout: 600_000,
    });
    return {
      use: async (text) => {
        const { body } = await within(2 * OPERATION_MS, pool.request({ path: "/", method: "POST", body: text }));
        same(text, await body.text());
      },
      close: () => pool.close(),
      destroy: () => pool.destroy(),
    };
  },
};

function agentClient(name: "http agent" | "https agent"): Client {
  const server = name === "http agent" ? "http" : "https";
  const { Agent, request } = server === "http" ? http : https;
  return {
    name,
    server,
    pooled: true,
    connections: server === "http" ? 24 : 16,
    open: ({ host, port, connections }) => {
      const agent = new Agent({ keepAlive: true, maxSockets: connections, maxFreeSockets: connections });
      const use = (text: string): Promise<string> =>
        new Promise((resolve, reject) => {
          const options = { host, port, agent, method: "POST", timeout: OPERATION_MS, ca: authority };
          const asked = request(options, (response) => {
            let got = "";
            response.setEncoding("utf8");
            response.on("data", (chunk: string) => (got += chunk));
            response.on("error", reject);
            response.on("end", () => resolve(got));
          });
          asked.on("error", reject);
          asked.on("timeout", () => asked.destroy(Object.assign(new Error("timed out"), { code: "ETIMEDOUT" })));
          asked.end(text);
        });
      return { use: async (text) => same(text, await use(text)), close: () => agent.destroy(), destroy: () => agent.destroy() };
    },
  };
}

const h2: Client = {
  name: "http2",
  server: "h2",
  pooled: false,
  connections: 8,
  open: async ({ host, port }) => {
    const session = http2.connect(`https://${host}:${port}`, { ca: authority });
    session.on("error", () => {});
    try {
      await within(OPERATION_MS, once(session, "connect"));
    } catch (error) {
      session.destroy();
      throw error;
    }
    const use = async (text: string): Promise<string> => {
      const stream = session.request({ ":path": "/", ":method": "POST" });
      stream.setEncoding("utf8");
      let got = "";
      stream.on("data", (chunk: string) => (got += chunk));
      stream.end(text);
      try {
        await within(OPERATION_MS, once(stream, "close"));
        if (got.length < text.length) throw Object.assign(new Error("the stream was closed early"), { code: "SOAK_CLOSED" });
        return got;
      } finally {
        if (!stream.closed) stream.destroy();
      }
    };
    return {
      use: async (text) => same(text, await use(text)),
      close: () => new Promise<void>((resolve) => session.close(resolve)),
      destroy: () => session.destroy(),
    };
  },
};

const ws: Client = {
  name: "ws",
  server: "ws",
  pooled: false,
  ended: /SOAK_CLOSED/,
  connections: 24,
  open: async ({ host, port }) => {
    const socket = new WebSocket(`ws://${host}:${port}`, { handshakeTimeout: OPERATION_MS, perMessageDeflate: false });
    const answers: { resolve: (text: string) => void; reject: (error: Error) => void }[] = [];
    let failure: Error | undefined;
    const fail = (error: Error): void => {
      failure ??= error;
      for (const { reject } of answers.splice(0)) reject(failure);
    };
    socket.on("message", (data: Buffer) => answers.shift()?.resolve(data.toString()));
    socket.on("error", fail);
    socket.on("close", (code) => fail(Object.assign(new Error(`closed: ${code}`), { code: "SOAK_CLOSED" })));
    await once(socket, "open");
    return {
      use: async (text) => {
        const answer = new Promise<string>((resolve, reject) => {
          if (failure !== undefined) return reject(failure);
          answers.push({ resolve, reject });
          socket.send(text);
        });
        same(text, await within(OPERATION_MS, answer));
      },
      close: async () => {
        socket.close();
        if (socket.readyState !== WebSocket.CLOSED) await once(socket, "close");
      },
      destroy: () => socket.terminate(),
    };
  },
};

export const webClients: readonly Client[] = [fetched, undici, agentClient("http agent"), agentClient("https agent"), h2, ws];
