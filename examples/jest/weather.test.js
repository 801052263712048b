// A client on a bad network, with Jest as it comes: CommonJS. The client is the program's own; the network is not a mock.
const { createServer } = require("node:http");
const { faults } = require("faultcore/jest");
const { Weather } = require("./weather.js");

const server = createServer((_request, response) => response.end("21"));
let url;

beforeAll(async () => {
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${server.address().port}`;
});
afterAll(() => server.close());

test("falls back to the last good answer while the service is unreachable", async () => {
  const weather = new Weather(url);
  await weather.at("oslo");
  const scope = faults.scope({ connectionError: { kind: "unreachable" } });
  expect(await scope.run(() => weather.at("oslo"))).toEqual({ degrees: 21, stale: true });
  expect(scope).toHaveInjected("connection_error", { times: 1 });
});

test("says what is behind it when there is no answer to fall back to", async () => {
  const scope = faults.scope({ connectionError: { kind: "reset" } });
  await expect(scope.run(() => new Weather(url).at("oslo"))).toFailWith("ECONNRESET", { injected: true });
});

test("is as slow as the network, whatever the timers of the test say", async () => {
  jest.useFakeTimers();
  try {
    const scope = faults.scope({ latency: "20ms" });
    expect(await scope.run(() => new Weather(url).at("oslo"))).toEqual({ degrees: 21, stale: false });
    expect(scope).toHaveInjected("latency");
  } finally {
    jest.useRealTimers();
  }
});

// `npm run test:failing` shows what a failing test says.
if (process.env.SHOW_FAILURE) {
  test("needs no fallback (which is wrong)", async () => {
    const weather = new Weather(url);
    await weather.at("oslo");
    let outcomes = "";
    await faults.run({ connectionError: { kind: "refused", prob: "50%" } }, async () => {
      for (let n = 0; n < 40; n++) outcomes += (await weather.at("oslo")).stale ? "-" : "+";
    });
    expect(outcomes).toBe("+".repeat(40));
  });
}
