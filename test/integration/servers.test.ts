import { chmodSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import mqtt from "mqtt";
import mysql from "mysql2/promise";
import { connect as connectNats } from "nats";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { TestContext } from "vitest";
import { startMariadb, startMosquitto, startNats, startPostgres, startRedis } from "../helpers/servers.ts";
import type { Server, Skipped } from "../helpers/servers.ts";

const refused = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("error", () => resolve(true));
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
  });
// Of this file alone: others start servers at the same time.
let temporary: string;
const folders = (): string[] => readdirSync(temporary).filter((name) => name.startsWith("faultcore-"));

beforeAll(() => {
  temporary = mkdtempSync(join(tmpdir(), "faultcore-servers-"));
  chmodSync(temporary, 0o755);
  process.env["TMPDIR"] = temporary;
});
afterAll(() => {
  delete process.env["TMPDIR"];
  rmSync(temporary, { recursive: true, force: true });
});

/** Starts a server, uses it and stops it: then nothing of it is left. */
async function comesAndGoes(
  context: TestContext,
  start: () => Promise<Server | Skipped>,
  use: (server: Server) => Promise<void>,
): Promise<void> {
  const before = folders();
  const server = await start();
  if (server.skipped !== undefined) return context.skip(server.skipped);
  {
    await using running = server;
    await use(running);
  }
  expect(await refused(server.port)).toBe(true);
  expect(folders()).toEqual(before);
}

describe("the throw-away servers", () => {
  it("runs a query on PostgreSQL and leaves nothing behind", (context) =>
    comesAndGoes(context, startPostgres, async (running) => {
      const client = new pg.Client({ connectionString: running.url });
      await client.connect();
      const { rows } = await client.query("select 1 + 1 as two");
      await client.end();
      expect(rows).toEqual([{ two: 2 }]);
    }));

  it("runs a query on MariaDB and leaves nothing behind", (context) =>
    comesAndGoes(context, startMariadb, async (running) => {
      const connection = await mysql.createConnection(running.url);
      const [rows] = await connection.query("select 1 + 1 as two");
      await connection.end();
      expect(rows).toEqual([{ two: 2 }]);
    }));

  it("sets and gets a key on Redis and leaves nothing behind", (context) =>
    comesAndGoes(context, startRedis, async (running) => {
      const client = new Redis(running.url);
      await client.set("key", "value");
      expect(await client.get("key")).toBe("value");
      await client.quit();
    }));

  it("publishes on Mosquitto and leaves nothing behind", (context) =>
    comesAndGoes(context, startMosquitto, async (running) => {
      const client = await mqtt.connectAsync(running.url);
      await client.publishAsync("greetings", "hello", { qos: 1 });
      await client.endAsync();
    }));

  it("goes to NATS and back, in plain, and leaves nothing behind", (context) =>
    comesAndGoes(context, startNats, async (running) => {
      const client = await connectNats({ servers: running.url, resolve: false });
      await client.flush();
      await client.close();
    }));

  it("can stop twice", async (context) => {
    const before = folders();
    const server = await startRedis();
    if (server.skipped !== undefined) return context.skip(server.skipped);
    await server.stop();
    await server.stop();
    expect(folders()).toEqual(before);
  });
});
