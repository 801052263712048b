/**
 * Throw-away servers for tests: real PostgreSQL and Redis on a free loopback port, gone when stopped, when the test fails and when the
 * process exits. A machine without the server gives `{ skipped: reason }`, and the caller prints the reason.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { connect, createServer } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";

export interface Skipped {
  readonly skipped: string;
}

export interface Server extends AsyncDisposable {
  readonly skipped?: undefined;
  readonly port: number;
  readonly url: string;
  stop(): Promise<void>;
}

const START_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 5_000;
const POLL_MS = 20;

/** Finds a program in the folders given, then in PATH. */
function findProgram(name: string, folders: readonly string[]): string | undefined {
  return [...folders, ...(process.env["PATH"] ?? "").split(delimiter)].map((folder) => join(folder, name)).find((path) => existsSync(path));
}

/** Debian keeps PostgreSQL's programs out of PATH, one folder per version: newest first. */
function debianPostgresFolders(): string[] {
  const base = "/usr/lib/postgresql";
  if (!existsSync(base)) return [];
  const versions = readdirSync(base).toSorted((a, b) => Number(b) - Number(a));
  return versions.map((version) => join(base, version, "bin"));
}

/** A port that was free a moment ago; a server that finds it taken is started again on another. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(0, "127.0.0.1", resolve);
  });
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

interface Plan {
  readonly name: string;
  readonly folder: string;
  readonly command: (port: number) => { program: string; args: string[]; identity?: { uid: number; gid: number } };
  readonly ready: (port: number) => Promise<boolean>;
  readonly url: (port: number) => string;
}

async function start(plan: Plan): Promise<Server> {
  let child: ChildProcess | undefined;
  // Nothing can be awaited when the process exits: SIGQUIT is PostgreSQL's immediate shutdown, and ends Redis too.
  const cleanUp = (): void => {
    child?.kill("SIGQUIT");
    rmSync(plan.folder, { recursive: true, force: true, maxRetries: 5 });
  };
  const onTerminate = (): never => process.exit(143);
  process.once("exit", cleanUp);
  process.once("SIGTERM", onTerminate);
  const stop = async (): Promise<void> => {
    process.off("exit", cleanUp);
    process.off("SIGTERM", onTerminate);
    const running = child;
    if (running !== undefined && running.exitCode === null && running.signalCode === null) {
      const gone = new Promise((resolve) => running.once("close", resolve));
      // SIGINT is PostgreSQL's fast shutdown, and Redis leaves at once too.
      running.kill("SIGINT");
      const limit = setTimeout(() => running.kill("SIGKILL"), STOP_LIMIT_MS);
      await gone;
      clearTimeout(limit);
    }
    cleanUp();
  };

  let output = "";
  try {
    const deadline = Date.now() + START_LIMIT_MS;
    while (Date.now() < deadline) {
      const port = await freePort();
      const { program, args, identity } = plan.command(port);
      output = "";
      let alive = true;
      const started = spawn(program, args, { cwd: plan.folder, stdio: ["ignore", "pipe", "pipe"], ...identity });
      child = started;
      const gone = (error?: Error): void => {
        alive = false;
        output += error?.message ?? "";
      };
      started.once("error", gone);
      started.once("exit", () => gone());
      for (const stream of [started.stdout, started.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
      while (alive && Date.now() < deadline) {
        if (await plan.ready(port)) {
          return { port, url: plan.url(port), stop, [Symbol.asyncDispose]: stop };
        }
        await delay(POLL_MS);
      }
      if (!/address already in use/i.test(output)) break;
    }
    throw new Error(`${plan.name} did not start: ${output.trim() || `nothing within ${START_LIMIT_MS} ms`}`);
  } catch (error) {
    await stop();
    throw error;
  }
}

/** The user that PostgreSQL runs as when we are root, which it refuses to be. */
function serverUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (option: string, user: string): number => Number(spawnSync("id", [option, user], { encoding: "utf8" }).stdout || NaN);
  for (const user of ["postgres", "nobody"]) {
    const [uid, gid] = [id("-u", user), id("-g", user)];
    if (uid > 0 && gid > 0) return { uid, gid };
  }
  return undefined;
}

/**
 * Starts PostgreSQL with an empty cluster: user `postgres`, no password, database `postgres`, TCP on 127.0.0.1 only.
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
  const identity = serverUser();
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
  const settings = [
    "fsync=off",
    "synchronous_commit=off",
    "full_page_writes=off",
    "listen_addresses=127.0.0.1",
    `unix_socket_directories=${folder}`,
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
