import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { START_LIMIT_MS, accepts, findProgram, serverUser, start, writeKeyPair } from "./start.ts";
import type { Server, Skipped } from "./start.ts";

/** Debian keeps PostgreSQL's programs out of PATH, one folder per version: newest first. */
function debianPostgresFolders(): string[] {
  const base = "/usr/lib/postgresql";
  if (!existsSync(base)) return [];
  const versions = readdirSync(base).toSorted((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(base, version, "bin"));
}

/**
 * Starts PostgreSQL with an empty cluster: user `postgres`, no password, database `postgres`, TCP on 127.0.0.1 only, TLS for who
 * asks for it, with the certificate of `localhost`.
 *
 * @example
 * const server = await startPostgres();
 * if (server.skipped !== undefined) return console.log(server.skipped);
 * await using running = server;
 */
export async function startPostgres(): Promise<Server | Skipped> {
  const folders = debianPostgresFolders();
  const initdb = findProgram("initdb", folders);
  const postgres = findProgram("postgres", folders);
  const isReady = findProgram("pg_isready", folders);
  if (initdb === undefined || postgres === undefined) return { skipped: "PostgreSQL is not installed (no initdb, no postgres)" };
  const identity = serverUser("postgres");
  if (process.getuid?.() === 0 && identity === undefined) return { skipped: "PostgreSQL cannot run as root, and there is no other user" };

  const folder = mkdtempSync(join(tmpdir(), "faultcore-pg-"));
  chmodSync(folder, 0o700);
  if (identity !== undefined) chownSync(folder, identity.uid, identity.gid);
  const data = join(folder, "data");
  const options = ["-U", "postgres", "--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", "-D", data];
  const made = spawnSync(initdb, options, { cwd: folder, encoding: "utf8", timeout: START_LIMIT_MS, ...identity });
  if (made.status !== 0) {
    rmSync(folder, { recursive: true, force: true });
    throw new Error(`initdb failed: ${made.error?.message ?? made.stderr}`);
  }
  const { certificate, key } = writeKeyPair(folder, identity);
  const settings = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "listen_addresses=127.0.0.1",
    `unix_socket_directories=${folder}`,
    "ssl=on",
    `ssl_cert_file=${certificate}`,
    `ssl_key_file=${key}`,
  ];
  return start({
    name: "PostgreSQL",
    folder,
    command: (port) => ({
      program: postgres,
      args: ["-D", data, "-p", String(port), ...settings.flatMap((setting) => ["-c", setting])],
      ...(identity && { identity }),
    }),
    // The port opens before the server takes queries; pg_isready knows the difference.
    ready: async (port) => {
      if (!(await accepts(port))) return false;
      return isReady === undefined || spawnSync(isReady, ["-q", "-h", "127.0.0.1", "-p", String(port)], { timeout: 2_000 }).status === 0;
    },
    url: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
  });
}
