import { createServer } from "node:http";
import { Pool } from "undici";
import { expect } from "vitest";
import { listen } from "../helpers/peers.ts";
import { describeClient } from "./kit/matrix.ts";

describeClient<Pool>({
  name: "undici Pool",
  start: async () => {
    const peer = await listen(createServer((_request, response) => response.end("hello")));
    return { port: peer.port, stop: async () => peer[Symbol.asyncDispose]() };
  },
  open: ({ host, port }) => new Pool(`http://${host}:${port}`, { connections: 4, headersTimeout: 400, bodyTimeout: 400 }),
  use: async (pool) => {
    const { body } = await pool.request({ path: "/", method: "GET" });
    expect(await body.text()).toBe("hello");
  },
  close: (pool) => pool.destroy(),
});
