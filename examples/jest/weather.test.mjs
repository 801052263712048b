// The same client, tested from an ES module: `node --experimental-vm-modules`.
import { createServer } from "node:http";
import { expect, test } from "@jest/globals";
import { fault } from "faultcore";
import { faults } from "faultcore/jest";
import { Weather } from "./weather.js";

const server = createServer((_request, response) => response.end("21"));
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const url = `http://127.0.0.1:${server.address().port}`;
afterAll(() => server.close());

test("a policy of the test reaches the functions of the program that name it", async () => {
  const load = fault("outage")((place) => new Weather(url).at(place));
  expect(await load("oslo")).toEqual({ degrees: 21, stale: false }); // not registered, so not faulted; a warning says so
  faults.registerPolicy("outage", { connectionError: { kind: "refused" } });
  await expect(load("oslo")).toFailWith("ECONNREFUSED", { injected: true });
});

test("nothing of it is left in the next test", async () => {
  const scope = faults.scope({ latency: "5ms" });
  expect(await scope.run(() => new Weather(url).at("oslo"))).toEqual({ degrees: 21, stale: false });
  expect(scope).toHaveInjected("latency");
  expect(scope).not.toHaveInjected("connection_error");
});
