import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accepts, findProgram, start } from "./start.ts";
import type { Server, Skipped } from "./start.ts";

/** Starts Redis, empty, in memory only, on 127.0.0.1. */
export async function startRedis(): Promise<Server | Skipped> {
  const program = findProgram("redis-server", []) ?? findProgram("valkey-server", []);
  if (program === undefined) return { skipped: "Redis is not installed (no redis-server)" };
  const folder = mkdtempSync(join(tmpdir(), "faultcore-redis-"));
  return start({
    name: "Redis",
    folder,
    command: (port) => ({
      program,
      args: ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", folder, "--daemonize", "no"],
    }),
    ready: accepts,
    url: (port) => `redis://127.0.0.1:${port}`,
  });
}
