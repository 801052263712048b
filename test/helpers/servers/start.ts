/** Starting a throw-away server on a free loopback port: gone when stopped, when the test fails and when the process exits. */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { chownSync, existsSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { delimiter, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { localhost } from "../certificates.mjs";

/** Why a server cannot be had. */
export interface Skipped {
  readonly skipped: string;
}

export interface Server extends AsyncDisposable {
  readonly skipped?: undefined;
  readonly port: number;
  readonly url: string;
  stop(): Promise<void>;
}

export const START_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 5_000;
const POLL_MS = 20;

/** Finds a program in the folders given, then in PATH. */
export function findProgram(name: string, folders: readonly string[]): string | undefined {
  return [...folders, ...(process.env["PATH"] ?? "").split(delimiter)].map((folder) => join(folder, name)).find((path) => existsSync(path));
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

/** Whether something listens on the port. */
export function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: "127.0.0.1", port });
    socket.once("connect", () => resolve(true));
    socket.once("error", () => resolve(false));
    socket.once("close", () => resolve(false));
    socket.once("connect", () => socket.destroy());
  });
}

/** How a server is started. */
export interface Plan {
  readonly name: string;
  readonly folder: string;
  readonly command: (port: number) => { program: string; args: string[]; identity?: { uid: number; gid: number }; env?: NodeJS.ProcessEnv };
  /** Ends it at once, where SIGINT and SIGQUIT do not. */
  readonly endSignal?: "SIGKILL";
  readonly ready: (port: number) => Promise<boolean>;
  readonly url: (port: number) => string;
}

/** Starts a server of its own process, again on another port where the first is taken meanwhile. */
export async function start(plan: Plan): Promise<Server> {
  let child: ChildProcess | undefined;
  // Nothing can be awaited when the process exits: SIGQUIT is PostgreSQL's immediate shutdown, and ends Redis too.
  const cleanUp = (): void => {
    child?.kill(plan.endSignal ?? "SIGQUIT");
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
      running.kill(plan.endSignal ?? "SIGINT");
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
      const { program, args, identity, env = process.env } = plan.command(port);
      output = "";
      let alive = true;
      const started = spawn(program, args, { cwd: plan.folder, stdio: ["ignore", "pipe", "pipe"], env, ...identity });
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
      if (!/address already in use|eaddrinuse/i.test(output)) break;
    }
    throw new Error(`${plan.name} did not start: ${output.trim() || `nothing within ${START_LIMIT_MS} ms`}`);
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Puts the certificate of `localhost` and its key where a server finds them, for its own eyes only, as PostgreSQL insists. */
export function writeKeyPair(folder: string, identity: { uid: number; gid: number } | undefined): { certificate: string; key: string } {
  const files = { certificate: join(folder, "certificate.pem"), key: join(folder, "key.pem") };
  writeFileSync(files.certificate, localhost.cert);
  writeFileSync(files.key, localhost.key, { mode: 0o600 });
  if (identity !== undefined) for (const file of Object.values(files)) chownSync(file, identity.uid, identity.gid);
  return files;
}

/** The user that servers run as which refuse to be root, when we are. `wanted`: its name, if it exists. */
export function serverUser(wanted: string): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const id = (option: string, user: string): number => Number(spawnSync("id", [option, user], { encoding: "utf8" }).stdout || NaN);
  for (const user of [wanted, "nobody"]) {
    const [uid, gid] = [id("-u", user), id("-g", user)];
    if (uid > 0 && gid > 0) return { uid, gid };
  }
  return undefined;
}
