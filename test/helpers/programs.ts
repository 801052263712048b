/**
 * Child programs of tests. Each has a kill timeout, dies with the test process, and never sees what vitest left in the environment.
 */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";

const KILL_AFTER_MS = 20_000;

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface Program {
  readonly child: ChildProcess;
  /** Rejects when the program had to be killed because it did not end in time. */
  readonly ended: Promise<Ended>;
  /** Resolves as soon as standard output contains this. */
  printed(text: string): Promise<void>;
}

export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string | undefined>> | undefined;
  readonly cwd?: string | undefined;
  readonly killAfterMs?: number | undefined;
}

const running = new Set<ChildProcess>();
process.once("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});

/** The path of `test/fixtures/programs/<name>.mjs` (or with another extension). */
export function fixture(name: string): string {
  return fileURLToPath(new URL(`../fixtures/programs/${name.includes(".") ? name : `${name}.mjs`}`, import.meta.url));
}

/** The path of a compiled module, as the tests of single modules need it. */
export function build(path: string): string {
  return fileURLToPath(new URL(`../../build/${path}`, import.meta.url));
}

/** The path of a file of the built package. */
export function dist(path: string): string {
  return fileURLToPath(new URL(`../../dist/${path}`, import.meta.url));
}

export function start(command: string, args: readonly string[], options: ProgramOptions = {}): Program {
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^(NODE_OPTIONS|NODE_ENV|NODE_V8_COVERAGE|VITEST.*|FAULTCORE_.*)$/.test(name),
  );
  const env = { ...Object.fromEntries(inherited), ...options.env };
  const child = spawn(command, args, { env, cwd: options.cwd, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  let stdout = "";
  let stderr = "";
  const watchers = new Set<() => void>();
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    stdout += text;
    for (const watch of watchers) watch();
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
  const ended = new Promise<Ended>((resolve, reject) => {
    let late = false;
    const limit = options.killAfterMs ?? KILL_AFTER_MS;
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, limit);
    child.once("error", reject);
    child.once("close", (code, signal) => {
      clearTimeout(timer);
      running.delete(child);
      if (late) reject(new Error(`${command} ${args.join(" ")} did not end within ${limit} ms.\nstdout: ${stdout}\nstderr: ${stderr}`));
      else resolve({ code, signal, stdout, stderr });
    });
  });
  // Whoever waits for `printed` first must not leave a rejection unhandled.
  ended.catch(() => {});
  const printed = (text: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const watch = (): void => {
        if (!stdout.includes(text)) return;
        watchers.delete(watch);
        resolve();
      };
      watchers.add(watch);
      watch();
      ended.then(
        () => reject(new Error(`the program ended without printing ${JSON.stringify(text)}.\nstdout: ${stdout}\nstderr: ${stderr}`)),
        reject,
      );
    });
  return { child, ended, printed };
}

/** Runs Node to its end. */
export function node(args: readonly string[], options: ProgramOptions = {}): Promise<Ended> {
  return start(process.execPath, args, options).ended;
}

/** What a program printed, one JSON value a line. */
export function jsonLines<T>(ended: Ended): T[] {
  if (ended.code !== 0) throw new Error(`exit ${ended.code ?? ended.signal}\nstdout: ${ended.stdout}\nstderr: ${ended.stderr}`);
  return ended.stdout
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as T);
}
