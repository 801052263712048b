import { isInjected, withFaults } from "faultcore";
import mysql from "mysql2/promise";
import { expect } from "vitest";
import { authority } from "../helpers/certificates.mjs";
import { failureOf } from "../helpers/measure.ts";
import { startMariadb } from "../helpers/servers.ts";
import { describeClient, limitOf } from "./kit/matrix.ts";
import type { At } from "./kit/matrix.ts";
import { describeOn, oneServer } from "./kit/one-server.ts";
import { expectLargeResultIntact } from "./kit/slow-link.ts";

const start = oneServer(startMariadb);

/** A pool's end() does not come back after a query that timed out: so the connections are destroyed. */
interface Opened {
  readonly pool: mysql.Pool;
  readonly connections: { destroy(): void }[];
  readonly limitMs: number;
}

function openPool(at: At, options: mysql.PoolOptions = {}): Opened {
  const pool = mysql.createPool({ host: at.host, port: at.port, user: "root", database: "test", connectionLimit: 4, ...options });
  const connections: Opened["connections"] = [];
  pool.on("connection", (connection) => connections.push(connection));
  return { pool, connections, limitMs: limitOf(at) };
}

function close({ connections }: Opened): void {
  for (const connection of connections) connection.destroy();
}

async function addOne({ pool, limitMs }: Opened): Promise<void> {
  const [rows] = await pool.query({ sql: "select 1 + ? as two", timeout: limitMs, values: [1] });
  expect(rows).toEqual([{ two: 2 }]);
}

const tls: mysql.PoolOptions = { ssl: { ca: authority } };

describeClient<Opened>({ name: "mysql2 Pool", start, open: (at) => openPool(at), use: addOne, close });
describeClient<Opened>({ name: "mysql2 Pool, TLS", start, open: (at) => openPool(at, tls), use: addOne, close });
// Who waits for its connection is told apart.
describeClient<Opened>({
  name: "mysql2 Pool, one connection",
  start,
  open: (at) => openPool(at, { connectionLimit: 1 }),
  use: addOne,
  close,
  queued: true,
});

describeOn("MariaDB", start, (it) => {
  it("a transaction that is reset leaves nothing, its connection is discarded, and the pool goes on", async (at) => {
    const opened = openPool(at);
    const { pool, connections } = opened;
    await pool.query("create table paid (n int) engine = innodb");
    const connection = await pool.getConnection();
    await connection.beginTransaction();
    await connection.query("insert into paid values (1)");
    const error = await failureOf(
      withFaults({ connectionError: { kind: "reset" } }, () => connection.query("insert into paid values (2)")),
    );
    expect(isInjected(error)).toBe(true);
    connection.release();
    expect((await pool.query("select * from paid"))[0]).toEqual([]);
    expect(connections).toHaveLength(2);
    close(opened);
  });

  it("5 MB come back byte for byte", async (at) => {
    const opened = openPool(at);
    await addOne(opened);
    await expectLargeResultIntact(async (text) => {
      const [rows] = await opened.pool.query<mysql.RowDataPacket[]>("select ? as big", [text]);
      return rows[0]?.["big"];
    });
    close(opened);
  });
});
