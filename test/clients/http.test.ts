import http from "node:http";
import https from "node:https";
import type { IncomingMessage } from "node:http";
import axios from "axios";
import type { AxiosInstance } from "axios";
import { got } from "got";
import type { Got } from "got";
import { text } from "node:stream/consumers";
import { expect } from "vitest";
import { authority } from "../helpers/certificates.mjs";
import { startHttp, startHttps } from "./kit/http-server.ts";
import { describeClient, limitOf } from "./kit/matrix.ts";

interface Agented<C> {
  readonly agent: http.Agent;
  readonly client: C;
}

const get = (options: https.RequestOptions, request: typeof https.request = http.request): Promise<string> =>
  new Promise((resolve, reject) => {
    const asked = request(options, (response: IncomingMessage) => void text(response).then(resolve, reject));
    // Node only tells: what is to happen is the program's affair.
    asked.on("timeout", () => asked.destroy(new Error("timeout")));
    asked.on("error", reject);
    asked.end();
  });

const destroy = ({ agent }: Agented<unknown>): void => agent.destroy();

describeClient<Agented<https.RequestOptions>>({
  name: "node:http",
  start: startHttp,
  open: (at) => {
    const agent = new http.Agent({ keepAlive: true });
    return { agent, client: { ...at, timeout: limitOf(at), agent } };
  },
  use: async ({ client }) => expect(await get(client)).toBe("hello"),
  close: destroy,
});

describeClient<Agented<https.RequestOptions>>({
  name: "node:https",
  start: startHttps,
  open: (at) => {
    const agent = new https.Agent({ keepAlive: true, ca: authority, maxSockets: 4 });
    return { agent, client: { ...at, timeout: limitOf(at), agent } };
  },
  use: async ({ client }) => expect(await get(client, https.request)).toBe("hello"),
  close: destroy,
});

describeClient<Agented<https.RequestOptions>>({
  name: "node:http, one socket",
  start: startHttp,
  open: (at) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    return { agent, client: { ...at, timeout: limitOf(at), agent } };
  },
  use: async ({ client }) => expect(await get(client)).toBe("hello"),
  close: destroy,
  queued: true,
});

describeClient<Agented<AxiosInstance>>({
  name: "axios",
  start: startHttp,
  open: (at) => {
    const agent = new http.Agent({ keepAlive: true });
    return { agent, client: axios.create({ baseURL: `http://${at.host}:${at.port}`, httpAgent: agent, timeout: limitOf(at) }) };
  },
  use: async ({ client }) => expect((await client.get<string>("/")).data).toBe("hello"),
  close: destroy,
});

// It retries by itself.
describeClient<Agented<Got>>({
  name: "got",
  start: startHttp,
  open: (at) => {
    const agent = new http.Agent({ keepAlive: true });
    const client = got.extend({
      prefixUrl: `http://${at.host}:${at.port}`,
      agent: { http: agent },
      timeout: { response: limitOf(at) },
      retry: { limit: 1, backoffLimit: 20 },
    });
    return { agent, client };
  },
  use: async ({ client }) => expect(await client.get("").text()).toBe("hello"),
  close: destroy,
  // Node 24 closes the socket first, and its agent says so: with or without us.
  hidesErrors: Number.parseInt(process.versions.node, 10) >= 24,
});
