import { randomUUID } from "node:crypto";
import { Redis } from "ioredis";
import mysql from "mysql2";
import pg from "pg";
import { createClient } from "redis";
import { OPERATION_MS, same, within } from "../client.ts";
import type { Client } from "../client.ts";

const postgres: Client = {
  name: "pg Pool",
  server: "postgres",
  pooled: true,
  connections: 12,
  open: ({ host, port, connections }) => {
    const pool = new pg.Pool({
      host,
      port,
      user: "postgres",
      database: "postgres",
      max: connections,
      query_timeout: OPERATION_MS,
      connectionTimeoutMillis: OPERATION_MS,
      idleTimeoutMillis: 0,
    });
    const clients = new Set<pg.PoolClient>();
    pool.on("connect", (client) => clients.add(client));
    pool.on("remove", (client) => clients.delete(client));
    pool.on("error", () => {});
    return {
      use: async (text) => same(text, (await pool.query("select $1::text as text", [text])).rows[0].text),
      close: () => pool.end(),
      destroy: () => {
        void pool.end();
        for (const client of clients) (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
      },
    };
  },
};

const mysql2: Client = {
  name: "mysql2 pool",
  server: "mariadb",
  // A query that timed out gives its connection back to the pool, silent as it is.
  pooled: false,
  connections: 12,
  open: async ({ host, port }) => {
    const connection = mysql.createConnection({ host, port, user: "root", database: "test", connectTimeout: OPERATION_MS });
    connection.on("error", () => {});
    const connected = connection.promise();
    // Its own destroy() sends a FIN and waits for the server's: for ever, on a silent connection.
    const destroy = (): void => (connection as unknown as { stream: { destroy(): void } }).stream.destroy();
    await connected.connect().catch((error: unknown) => {
      destroy();
      throw error;
    });
    return {
      use: async (text) => {
        const [rows] = await connected.query({ sql: "select ? as text", values: [text], timeout: OPERATION_MS });
        same(text, (rows as { text: string }[])[0]?.text);
      },
      close: () => connected.end(),
      destroy,
    };
  },
};

const ioredis: Client = {
  name: "ioredis, auto-pipelining",
  server: "redis",
  pooled: false,
  ended: /Connection is closed|connection close/,
  connections: 10,
  open: async ({ host, port }) => {
    const client = new Redis({
      host,
      port,
      lazyConnect: true,
      enableAutoPipelining: true,
      retryStrategy: () => null,
      maxRetriesPerRequest: 0,
      commandTimeout: OPERATION_MS,
      connectTimeout: OPERATION_MS,
    });
    client.on("error", () => {});
    await within(2 * OPERATION_MS, client.connect()).catch((error: unknown) => {
      client.disconnect();
      throw error;
    });
    return {
      use: async (text) => {
        const key = randomUUID();
        const [, got] = await Promise.all([client.set(key, text, "PX", 60_000), client.get(key)]);
        same(text, got);
      },
      close: () => client.quit(),
      destroy: () => client.disconnect(),
    };
  },
};

const redis: Client = {
  name: "redis",
  server: "redis",
  pooled: false,
  connections: 10,
  open: async ({ host, port }) => {
    const client = createClient({ socket: { host, port, reconnectStrategy: false, connectTimeout: OPERATION_MS } });
    client.on("error", () => {});
    await within(2 * OPERATION_MS, client.connect()).catch((error: unknown) => {
      client.destroy();
      throw error;
    });
    return {
      use: async (text) => same(text, await within(OPERATION_MS, client.echo(text))),
      close: () => client.close(),
      destroy: () => client.isOpen && client.destroy(),
    };
  },
};

export const databaseClients: readonly Client[] = [postgres, mysql2, ioredis, redis];
