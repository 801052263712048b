import { Redis } from "ioredis";
import pg from "pg";
import { faultScope, install, isInjected, registerPolicy, reset, uninstall, withFaults } from "faultcore";
import type { FaultScope, PolicyFields } from "faultcore";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from "vitest";
import { failureOf, figures, median, timed, upToThreeTimes } from "../helpers/measure.ts";
import { startPostgres, startRedis } from "../helpers/servers.ts";
import type { Server, Skipped } from "../helpers/servers.ts";

/** slow_link without its timeouts, with which nothing would ever be done in time. */
const slowLink: PolicyFields = { latency: "50ms", jitter: "10ms", packet_loss: "1%", burst_loss: "3", rate: "2mbps", seed: 2 };
const ROUNDS = 8;
/** Latency both ways; what jitter and the rate of a small message add to it at most. */
const LEAST_MS = 100;
const MOST_MS = 100 + 20 + 5;

let postgres: Server | Skipped;
let redis: Server | Skipped;

beforeAll(async () => {
  // Before any pool is opened: so its connections can be faulted later.
  install({ steer: "always" });
  [postgres, redis] = await Promise.all([startPostgres(), startRedis()]);
});
beforeEach(() => registerPolicy("slow_link", slowLink));
afterEach(() => reset());
afterAll(async () => {
  uninstall();
  for (const server of [postgres, redis]) if (server.skipped === undefined) await server.stop();
});

/** What the scope's own decisions took, in ms: the latest of each direction counts, since one exchange is one message up and one down. */
function decidedMs(scope: FaultScope): { readonly least: number; readonly lost: boolean } {
  const events = scope.events();
  const of = (fault: string, direction: string): number =>
    events.find((event) => event.fault === fault && event.direction === direction)?.delayMs ?? 0;
  const least = ["uplink", "downlink"].map((direction) => of("latency", direction) + of("jitter", direction) + of("rate", direction));
  return { least: least[0]! + least[1]!, lost: events.some(({ decision }) => decision.startsWith("lost")) };
}

interface Times {
  readonly slow: number[];
  readonly fast: number[];
}

/** One operation, many times under the policy, each followed by one outside of it. */
async function expectSlowed(what: string, operation: () => Promise<unknown>): Promise<void> {
  await operation();
  const measure = async (): Promise<Times> => {
    const times: Times = { slow: [], fast: [] };
    for (let round = 0; round < ROUNDS; round++) {
      const scope = faultScope("slow_link");
      const { ms } = await timed(() => scope.run(operation));
      const { least, lost } = decidedMs(scope);
      expect(ms).toBeGreaterThanOrEqual(LEAST_MS);
      expect(ms).toBeGreaterThanOrEqual(least);
      if (!lost) times.slow.push(ms);
      times.fast.push((await timed(operation)).ms);
    }
    return times;
  };
  const { slow, fast } = await upToThreeTimes(measure, (times) => median(times.slow) < MOST_MS + 25 && median(times.fast) < LEAST_MS / 2);
  console.log(`${what}: under slow_link ${figures(slow)} ms, next one outside ${figures(fast)} ms`);
  expect(median(slow)).toBeLessThan(MOST_MS + 25);
  expect(median(fast)).toBeLessThan(LEAST_MS / 2);
}

describe("PostgreSQL", () => {
  it("a query on an open client takes one round trip more under the policy, its result is right, and the next one is fast", async (context) => {
    if (postgres.skipped !== undefined) return context.skip(postgres.skipped);
    const client = new pg.Client({ connectionString: postgres.url });
    onTestFinished(() => client.end());
    await client.connect();
    await expectSlowed("pg, one client", async () => {
      const { rows } = await client.query("select $1::int + 1 as more, repeat('x', 500) as text", [41]);
      expect(rows).toEqual([{ more: 42, text: "x".repeat(500) }]);
    });
  });

  it("a new client takes a round trip for the connect, one for the start-up and one for the query", async (context) => {
    if (postgres.skipped !== undefined) return context.skip(postgres.skipped);
    const { url } = postgres;
    const { ms } = await timed(() =>
      withFaults({ latency: "50ms" }, async () => {
        const client = new pg.Client({ connectionString: url });
        await client.connect();
        await client.query("select 1");
        await client.end();
      }),
    );
    expect(ms).toBeGreaterThanOrEqual(300);
    expect(ms).toBeLessThan(1000);
  });

  it("a pool that was filled before is slowed in the scope only, while others use it at full speed", async (context) => {
    if (postgres.skipped !== undefined) return context.skip(postgres.skipped);
    const pool = new pg.Pool({ connectionString: postgres.url, max: 4 });
    onTestFinished(() => pool.end());
    const query = async (): Promise<unknown> => (await pool.query("select 7 as seven")).rows;
    await Promise.all([query(), query(), query(), query()]);
    await expectSlowed("pg, pooled", query);
    const slow = timed(() => withFaults({ latency: "300ms" }, query));
    const others = await Promise.all([timed(query), timed(query), timed(query)]);
    expect(median(others.map(({ ms }) => ms))).toBeLessThan(300);
    const { ms, value } = await slow;
    expect(ms).toBeGreaterThanOrEqual(600);
    expect(value).toEqual([{ seven: 7 }]);
    expect(pool.totalCount).toBe(4);
  });

  it("a query that the policy resets fails with an injected error, and the pool recovers", async (context) => {
    if (postgres.skipped !== undefined) return context.skip(postgres.skipped);
    const pool = new pg.Pool({ connectionString: postgres.url, max: 1 });
    onTestFinished(() => pool.end());
    pool.on("error", () => {});
    const query = (): Promise<unknown> => pool.query("select 1");
    await query();
    const error = await failureOf(withFaults({ connectionError: { kind: "reset" } }, query));
    expect(isInjected(error)).toBe(true);
    await query();
  });
});

describe("Redis", () => {
  it("a command takes one round trip more under the policy, its result is right, and the next one is fast", async (context) => {
    if (redis.skipped !== undefined) return context.skip(redis.skipped);
    const client = new Redis(redis.url);
    onTestFinished(() => client.disconnect());
    await client.set("key", "value");
    await expectSlowed("ioredis", async () => expect(await client.get("key")).toBe("value"));
  });

  it("a pipeline of 100 commands costs round trips, not one for each command", async (context) => {
    if (redis.skipped !== undefined) return context.skip(redis.skipped);
    const client = new Redis(redis.url);
    onTestFinished(() => client.disconnect());
    await client.ping();
    const { ms, value } = await timed(() =>
      withFaults({ latency: "50ms" }, () => {
        const pipeline = client.pipeline();
        for (let n = 0; n < 100; n++) pipeline.incr("counter");
        return pipeline.exec();
      }),
    );
    expect(value?.at(-1)).toEqual([null, 100]);
    expect(ms).toBeGreaterThanOrEqual(100);
    expect(ms).toBeLessThan(1000);
  });
});
