// Whose a command is where drivers queue it. Which ones tell is in docs/clients.md.
import { AsyncResource } from "node:async_hooks";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { faultScope, install, reset, uninstall } from "faultcore";
import type { FaultScope } from "faultcore";
import mysql from "mysql2/promise";
import pg from "pg";
import { createClient } from "redis";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { startMariadb, startPostgres, startRedis } from "../helpers/servers.ts";
import type { Server, Skipped } from "../helpers/servers.ts";

let postgres: Server | Skipped;
let redis: Server | Skipped;
let mariadb: Server | Skipped;

beforeAll(async () => {
  install({ steer: "always" });
  [postgres, redis, mariadb] = await Promise.all([startPostgres(), startRedis(), startMariadb()]);
});
afterEach(() => reset());
afterAll(async () => {
  uninstall();
  for (const server of [postgres, redis, mariadb]) if (server.skipped === undefined) await server.stop();
});

/** Two scopes and a call of nobody's between them and behind them, all at once. */
async function runTogether(call: () => Promise<unknown>): Promise<readonly FaultScope[]> {
  const scopes = [faultScope({ latency: "15ms" }), faultScope({ latency: "10ms" })] as const;
  await Promise.all([scopes[0].run(call), call(), scopes[1].run(call), call()]);
  return scopes;
}

function delaysMs(scopes: readonly FaultScope[]): (number | undefined)[] {
  return scopes.map((scope) => scope.report().faults["latency"]?.delayMs);
}

describe("pg", () => {
  /** As docs/clients.md has it, where types do not matter. */
  class BoundPool extends pg.Pool {
    override connect(): Promise<pg.PoolClient>;
    override connect(callback: Parameters<pg.Pool["connect"]>[0]): void;
    override connect(callback?: Parameters<pg.Pool["connect"]>[0]): Promise<pg.PoolClient> | void {
      if (callback === undefined) return super.connect();
      super.connect(AsyncResource.bind(callback));
    }
  }

  it("a pool that goes back to its callers' contexts gives each its own scope", async (context) => {
    if (postgres.skipped !== undefined) return context.skip(postgres.skipped);
    const pool = new BoundPool({ connectionString: postgres.url, max: 1 }).on("error", () => {});
    await pool.query("select 1");
    expect(delaysMs(await runTogether(() => pool.query("select 1")))).toEqual([30, 20]);
    await pool.end();
  });

  it("so does one that the callers take a client from", async (context) => {
    if (postgres.skipped !== undefined) return context.skip(postgres.skipped);
    const pool = new pg.Pool({ connectionString: postgres.url, max: 1 }).on("error", () => {});
    const scopes = await runTogether(async () => {
      const client = await pool.connect();
      await client.query("select 1");
      client.release();
    });
    expect(delaysMs(scopes)[1]).toBe(20);
    expect(scopes[1]?.report()).toMatchObject({ shared: false, flows: [{ governed: true, events: 2 }] });
    await pool.end();
  });
});

describe("mysql2", () => {
  it("callers that wait for a connection of a full pool stay in their scopes", async (context) => {
    if (mariadb.skipped !== undefined) return context.skip(mariadb.skipped);
    const pool = mysql.createPool({ uri: mariadb.url, connectionLimit: 1 });
    await pool.query("select 1");
    expect(delaysMs(await runTogether(() => pool.query("select 1")))).toEqual([30, 20]);
    await pool.end();
  });
});

it("a message that ws compresses belongs to who sends it, and not to who sent the first one", async () => {
  const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: { threshold: 0 } });
  server.on("connection", (peer) => peer.on("message", (message) => peer.send(message)));
  await once(server, "listening");
  const socket = new WebSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await once(socket, "open");
  const scopes = [15, 10, 5].map((latencyMs) => faultScope({ latency: `${latencyMs}ms` }));
  for (const scope of scopes) {
    await scope.run(async () => {
      socket.send("message");
      await once(socket, "message");
    });
  }
  expect(socket.extensions).toBe("permessage-deflate");
  expect(delaysMs(scopes)).toEqual([30, 20, 10]);
  socket.terminate();
  server.close();
});

describe("node-redis", () => {
  it("commands that are written in one go belong to the scopes of their callers", async (context) => {
    if (redis.skipped !== undefined) return context.skip(redis.skipped);
    const client = createClient({ url: redis.url });
    const idle = createClient({ url: redis.url });
    await Promise.all([client.connect(), idle.connect()]);
    await client.set("key", Buffer.from("*1\r\n$3\r\nGET\r\n"));
    const scopes = await runTogether(() => client.set("key", Buffer.alloc(10)));
    // All of them are on their way at once: what comes back is governed by the latest, which is nobody's.
    expect(delaysMs(scopes)).toEqual([15, 10]);
    for (const scope of scopes) {
      expect(scope.events().map(({ direction, bytes }) => ({ direction, bytes }))).toEqual([{ direction: "uplink", bytes: 39 }]);
      expect(scope.report()).toMatchObject({ shared: true });
    }
    // Also where nobody's command waits already when the first scope begins.
    const late = faultScope({ latency: "5ms" });
    await Promise.all([client.get("another key"), late.run(() => client.get("key"))]);
    expect(late.events().flatMap(({ direction, bytes }) => (direction === "uplink" ? bytes : []))).toEqual([22]);
    const alone = faultScope({ latency: "5ms" });
    await alone.run(() => client.get("key"));
    expect(alone.report()).toMatchObject({ injected: 2, shared: false });
    await Promise.all([client.close(), idle.close()]);
  });

  it("also those that wait while it connects", async (context) => {
    if (redis.skipped !== undefined) return context.skip(redis.skipped);
    const client = createClient({ url: redis.url });
    const connecting = client.connect();
    const scopes = await runTogether(() => client.ping());
    await connecting;
    expect(delaysMs(scopes)).toEqual([15, 10]);
    await client.close();
  });
});
