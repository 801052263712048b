import { faultScope, isInjected, withFaults } from "faultcore";
import pg from "pg";
import postgres from "postgres";
import { expect, onTestFinished } from "vitest";
import { authority } from "../helpers/certificates.mjs";
import { failureOf, timed } from "../helpers/measure.ts";
import { startPostgres } from "../helpers/servers.ts";
import { describeClient, limitOf } from "./kit/matrix.ts";
import type { At, ClientCase } from "./kit/matrix.ts";
import { describeOn, oneServer } from "./kit/one-server.ts";
import { expectLargeResultIntact, expectOneRoundTripMore } from "./kit/slow-link.ts";

const start = oneServer(startPostgres);

const who = { user: "postgres", database: "postgres" };
// Without query_timeout, a query on a silent connection waits for ever.
const options = (at: At): pg.ClientConfig => ({ host: at.host, port: at.port, ...who, query_timeout: limitOf(at) });
const addOne = async (client: pg.Client | pg.Pool): Promise<void> =>
  expect((await client.query("select 1 + $1::int as two", [1])).rows).toEqual([{ two: 2 }]);

const openPool = (settings: pg.PoolConfig): pg.Pool => {
  const pool = new pg.Pool({ max: 4, ...settings });
  // What becomes of idle connections; the pool takes them out.
  pool.on("error", () => {});
  return pool;
};

describeClient<pg.Pool>({ name: "pg Pool", start, open: (at) => openPool(options(at)), use: addOne, close: (pool) => pool.end() });

describeClient<pg.Pool>({
  name: "pg Pool, TLS",
  start,
  // PostgreSQL is asked for TLS on the open connection, as with every STARTTLS.
  open: (at) => openPool({ ...options(at), ssl: { ca: authority } }),
  use: addOne,
  close: (pool) => pool.end(),
});

/** A client does not connect again: its program makes a new one. */
interface Renewed {
  readonly make: () => pg.Client;
  client: pg.Client;
  over: boolean;
}

async function connect(renewed: Renewed): Promise<Renewed> {
  renewed.client = renewed.make();
  renewed.client.on("error", () => {}).on("end", () => (renewed.over = true));
  await renewed.client.connect();
  renewed.over = false;
  return renewed;
}

describeClient<Renewed>({
  name: "pg Client",
  start,
  open: (at) => {
    const make = (): pg.Client => new pg.Client(options(at));
    return connect({ make, client: make(), over: false });
  },
  use: async (renewed) => {
    if (renewed.over) await connect(renewed);
    await addOne(renewed.client);
  },
  close: ({ client }) => client.end(),
  multiplexed: true,
});

const postgresJs: Omit<ClientCase<postgres.Sql>, "name" | "open"> = {
  start,
  use: async (sql) => expect([...(await sql`select 1 + ${1}::int as two`)]).toEqual([{ two: 2 }]),
  close: (sql) => sql.end({ timeout: 0 }),
};

describeClient({ ...postgresJs, name: "postgres.js", open: ({ host, port }) => postgres({ host, port, ...who, max: 4 }) });
describeClient({
  ...postgresJs,
  name: "postgres.js, max: 1",
  open: ({ host, port }) => postgres({ host, port, ...who, max: 1 }),
  multiplexed: true,
});

describeOn("PostgreSQL", start, (it) => {
  it("a query takes one round trip more on a slow link, its result is right, and the next one is fast", async (at) => {
    const client = new pg.Client(options(at));
    onTestFinished(() => client.end());
    await client.connect();
    await expectOneRoundTripMore("pg", async () => {
      const { rows } = await client.query("select $1::int + 1 as more, repeat('x', 500) as text", [41]);
      expect(rows).toEqual([{ more: 42, text: "x".repeat(500) }]);
    });
  });

  it("a new client takes a round trip for the connect, one for the start-up and one for the query", async (at) => {
    const { ms } = await timed(() =>
      withFaults({ latency: "50ms" }, async () => {
        const client = new pg.Client(options(at));
        await client.connect();
        await client.query("select 1");
        await client.end();
      }),
    );
    expect(ms).toBeGreaterThanOrEqual(300);
    expect(ms).toBeLessThan(1000);
  });

  it("a transaction that is reset leaves nothing, its connection is discarded, and the pool goes on", async (at) => {
    const pool = openPool(options(at));
    onTestFinished(() => pool.end());
    await pool.query("create table paid (n int)");
    // While it is taken, its errors are not the pool's: without a listener, they end the process.
    const client = (await pool.connect()).on("error", () => {});
    await client.query("begin");
    await client.query("insert into paid values (1)");
    const error = await failureOf(withFaults({ connectionError: { kind: "reset" } }, () => client.query("insert into paid values (2)")));
    expect(isInjected(error)).toBe(true);
    client.release();
    expect(pool.totalCount).toBe(0);
    expect((await pool.query("select * from paid")).rows).toEqual([]);
  });

  it("5 MB come back byte for byte over TLS", async (at) => {
    const pool = openPool({ ...options(at), ssl: { ca: authority } });
    onTestFinished(() => pool.end());
    await addOne(pool);
    await expectLargeResultIntact(async (text) => (await pool.query<{ big: string }>("select $1::text as big", [text])).rows[0]?.big);
  });

  it("a query that waits for the only connection of a pool has its caller's scope, if the caller takes the client", async (at) => {
    const pool = openPool({ ...options(at), max: 1 });
    onTestFinished(() => pool.end());
    await addOne(pool);
    const scopes = [faultScope({ latency: "10ms" }), faultScope({ latency: "15ms" })] as const;
    const query = async (): Promise<void> => {
      const client = await pool.connect();
      await client.query("select 1");
      client.release();
    };
    await Promise.all(scopes.map((scope) => scope.run(query)));
    expect(scopes.map((scope) => scope.report().faults["latency"]?.delayMs)).toEqual([20, 30]);
  });
});
