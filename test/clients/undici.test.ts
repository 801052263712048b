import { Agent, Client, Pool, request, fetch as undiciFetch } from "undici";
import type { Dispatcher } from "undici";
import { expect } from "vitest";
import { authority } from "../helpers/certificates.mjs";
import { startHttp, startHttps } from "./kit/http-server.ts";
import { describeClient, limitOf } from "./kit/matrix.ts";
import type { At } from "./kit/matrix.ts";

const limits = (at: At) => ({ headersTimeout: limitOf(at), bodyTimeout: limitOf(at) });

interface Requests {
  readonly dispatcher: Dispatcher;
  readonly url: string;
}

const get = async (dispatcher: Client | Pool): Promise<void> => {
  const { body } = await dispatcher.request({ path: "/", method: "GET" });
  expect(await body.text()).toBe("hello");
};

// Its dispatcher is the process's own. It has no time limit under five minutes: a signal sets one.
describeClient<At>({
  name: "fetch",
  start: startHttp,
  open: (at) => at,
  use: async (at) => {
    const response = await fetch(`http://${at.host}:${at.port}/`, { signal: AbortSignal.timeout(limitOf(at)) });
    expect(await response.text()).toBe("hello");
  },
  close: () => {},
});

describeClient<Requests>({
  name: "undici fetch",
  start: startHttps,
  open: (at) => ({
    dispatcher: new Agent({ ...limits(at), connect: { ca: authority } }),
    url: `https://${at.host}:${at.port}/`,
  }),
  use: async ({ dispatcher, url }) => expect(await (await undiciFetch(url, { dispatcher })).text()).toBe("hello"),
  close: ({ dispatcher }) => dispatcher.destroy(),
});

describeClient<Requests>({
  name: "undici Agent",
  start: startHttp,
  open: (at) => ({ dispatcher: new Agent({ ...limits(at), connections: 4 }), url: `http://${at.host}:${at.port}/` }),
  use: async ({ dispatcher, url }) => expect(await (await request(url, { dispatcher })).body.text()).toBe("hello"),
  close: ({ dispatcher }) => dispatcher.destroy(),
});

describeClient<Pool>({
  name: "undici Pool",
  start: startHttp,
  open: (at) => new Pool(`http://${at.host}:${at.port}`, { connections: 4, ...limits(at) }),
  use: get,
  close: (pool) => pool.destroy(),
});

describeClient<Client>({
  name: "undici Client",
  start: startHttp,
  open: (at) => new Client(`http://${at.host}:${at.port}`, limits(at)),
  use: get,
  close: (client) => client.destroy(),
  queued: true,
});
