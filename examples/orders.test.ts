// A test of a client on a bad network, with vitest. The client is your own; the network is not a mock.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { faultScope, install, isInjected, reset } from "faultcore";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";

const server = createServer((_request, response) => response.end('{"id":1}'));
let url: string;

beforeAll(async () => {
  // Before any connection is opened, so that pooled ones can be faulted too.
  install({ steer: "always" });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterEach(() => reset());
afterAll(() => server.close());

async function loadOrder(limitMs: number): Promise<unknown> {
  return (await fetch(url, { signal: AbortSignal.timeout(limitMs) })).json();
}

test("loads an order over a link with a round trip of 100 ms", async () => {
  const scope = faultScope({ latency: "50ms" });
  expect(await scope.run(() => loadOrder(1000))).toEqual({ id: 1 });
  expect(scope.report().injected).toBeGreaterThan(0);
});

test("gives up on a peer that cannot be reached", async () => {
  const scope = faultScope({ connectionError: { kind: "unreachable" } });
  const error = await scope.run(() => loadOrder(1000)).catch((reason: unknown) => reason);
  expect(isInjected(error)).toBe(true);
});
