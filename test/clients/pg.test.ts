import pg from "pg";
import { expect } from "vitest";
import { startPostgres } from "../helpers/servers.ts";
import { describeClient } from "./kit/matrix.ts";

describeClient<pg.Pool>({
  name: "pg Pool",
  start: startPostgres,
  open: ({ host, port }) => {
    const pool = new pg.Pool({ host, port, user: "postgres", database: "postgres", max: 4, query_timeout: 400 });
    pool.on("error", () => {});
    return pool;
  },
  use: async (pool) => expect((await pool.query("select 1 + 1 as two")).rows).toEqual([{ two: 2 }]),
  close: (pool) => pool.end(),
});
