// A client on a bad network, with vitest. The client is the program's own; the network is not a mock.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, test } from "faultcore/vitest";
import { afterAll, beforeAll, vi } from "vitest";
import { Orders } from "./orders.ts";

const server = createServer((request, response) => response.end(JSON.stringify({ id: request.url?.split("/").at(-1) })));
let url: string;

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => server.close());

test("loads an order over a slow link", async ({ faults }) => {
  // `strict` makes the run fail where nothing was injected: the policy would have matched nothing.
  const order = await faults.run({ latency: "20ms", targets: ["127.0.0.1"] }, () => new Orders(url).load("7"), { strict: true });
  expect(order).toEqual({ id: "7" });
});

test("tries again when connections are refused", async ({ faults }) => {
  faults.registerPolicy("restarting", { connectionError: { kind: "refused" }, times: 2 });
  const scope = faults.scope("restarting");
  expect(await scope.run(() => new Orders(url).load("7"))).toEqual({ id: "7" });
  expect(scope).toHaveInjected("connection_error", { times: 2 });
});

test("fails as the network did when all attempts fail", async ({ faults }) => {
  const scope = faults.scope({ connectionError: { kind: "refused" } });
  await expect(scope.run(() => new Orders(url).load("7"))).toFailWith("ECONNREFUSED", { injected: true });
  expect(scope).toHaveInjected("connection_error", { times: 3 });
});

test("loads an order while the timers of the test are fake", async ({ faults }) => {
  vi.useFakeTimers();
  try {
    const scope = faults.scope({ latency: "20ms" });
    expect(await scope.run(() => new Orders(url).load("7"))).toEqual({ id: "7" });
    expect(scope).toHaveInjected("latency");
  } finally {
    vi.useRealTimers();
  }
});

// `npm run test:failing` shows what a failing test says.
test.runIf(process.env["SHOW_FAILURE"])("needs no second attempt (which is wrong)", async ({ faults }) => {
  const orders = new Orders(url, { attempts: 1 });
  let outcomes = "";
  await faults.run({ connectionError: { kind: "refused", prob: "50%" } }, async () => {
    for (let id = 0; id < 40; id++) {
      const outcome = orders.load(String(id)).then(
        () => "+",
        () => "-",
      );
      outcomes += await outcome;
    }
  });
  expect(outcomes).toBe("+".repeat(40));
});
