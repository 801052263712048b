// A client on a bad network, with node:test. The client is the program's own; the network is not a mock.
import assert from "node:assert/strict";
import { createServer } from "node:http";
import test, { after, before } from "node:test";
import { install } from "faultcore";
import { assertFailsWith, assertInjected, faults } from "faultcore/node-test";
import { Inventory } from "./inventory.mjs";

const server = createServer((_request, response) => response.end("12"));
let inventory;
let url;

before(async () => {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${server.address().port}`;
  // From here on all connections can be faulted, also those that are open when a scope begins.
  install({ steer: "always" });
  inventory = new Inventory(url);
  await inventory.count("bolts");
});
after(() => {
  inventory.close();
  server.close();
});

test("asks again, on a new connection, when the pooled one has gone silent", async (t) => {
  const scope = faults(t).scope({ halfOpen: { error: "silent" }, times: 1 });
  assert.equal(await scope.run(() => inventory.count("bolts")), 12);
  assertInjected(scope, "half_open", { times: 1 });
});

test("tells by its own error that nobody answers", async (t) => {
  const impatient = new Inventory(url, { attempts: 1, limitMs: 100 });
  t.after(() => impatient.close());
  const scope = faults(t).scope({ halfOpen: { error: "silent" } });
  await assertFailsWith(
    scope.run(() => impatient.count("bolts")),
    "ETIME",
    { injected: false },
  );
});

test("is as slow as the network, whatever the timers of the test say", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval", "setImmediate", "Date"] });
  const scope = faults(t).scope({ latency: "20ms" });
  assert.equal(await scope.run(() => inventory.count("bolts")), 12);
  assertInjected(scope, "latency");
});

// `npm run test:failing` shows what a failing test says.
test("needs no second attempt (which is wrong)", { skip: !process.env.SHOW_FAILURE }, async (t) => {
  const once = new Inventory(url, { attempts: 1, keepAlive: false, limitMs: 10_000 });
  t.after(() => once.close());
  let outcomes = "";
  await faults(t).run({ connectionError: { kind: "reset", prob: "50%" } }, async () => {
    for (let n = 0; n < 40; n++) {
      const outcome = once.count("bolts").then(
        () => "+",
        () => "-",
      );
      outcomes += await outcome;
    }
  });
  assert.equal(outcomes, "+".repeat(40));
});
