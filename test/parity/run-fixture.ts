// Runs the fixture program, direct or steered, and collects the traces of its cases.
import { spawn, execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { NodeBinary } from "./nodes.ts";

/** Per actor, the lines of what it saw. */
export type Trace = Readonly<Record<string, readonly string[]>>;
export type Mode = "direct" | "steered";

const fixture = join(import.meta.dirname, "fixture.mjs");
const register = process.env["FAULTCORE_PARITY_REGISTER"] ?? join(import.meta.dirname, "..", "..", "dist", "register.js");
const runTimeoutMs = 90_000;

/** The names of all cases, by area. */
export function listCases(): Readonly<Record<string, readonly string[]>> {
  return JSON.parse(execFileSync(process.execPath, [fixture, "--list"], { encoding: "utf8" }));
}

export function assertBuilt(): void {
  if (!existsSync(register)) throw new Error(`${register} is missing: npm run build`);
}

interface Output {
  readonly stdout: string;
  readonly end: string;
}

function run(node: NodeBinary, mode: Mode, args: readonly string[]): Promise<Output> {
  const preload = mode === "steered" ? ["--import", pathToFileURL(register).href] : [];
  const { NODE_OPTIONS: _, VITEST: __, ...env } = process.env;
  return new Promise((resolve, reject) => {
    const child = spawn(node.path, [...preload, fixture, ...args], { stdio: ["ignore", "pipe", "pipe"], env });
    let stdout = "";
    let stderr = "";
    let late = false;
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    const timer = setTimeout(() => {
      late = true;
      child.kill("SIGKILL");
    }, runTimeoutMs);
    child.on("error", reject);
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      const how = late ? `did not end within ${runTimeoutMs} ms` : `ended with ${signal ?? code}`;
      resolve({ stdout, end: stderr === "" ? how : `${how}, stderr: ${stderr.slice(0, 4000)}` });
    });
  });
}

/** How the process of an area ended is compared as well, under this name. */
export function exitOf(area: string): string {
  return `the process of ${area} ends by itself`;
}

/** Cases that the process did not get to have a trace that says why. */
export async function runArea(node: NodeBinary, mode: Mode, area: string, names: readonly string[]): Promise<Map<string, Trace>> {
  const { stdout, end } = await inTurn(() => run(node, mode, ["--stream", "--area", area]));
  const traces = new Map<string, Trace>(names.map((name) => [name, { case: [`not run: the process ${end}`] }]));
  for (const line of stdout.split("\n")) {
    if (!line.startsWith('{"case":')) continue;
    const result = JSON.parse(line) as { case: string; trace: Trace };
    traces.set(result.case, result.trace);
  }
  return traces.set(exitOf(area), { process: [end] });
}

export async function runCase(node: NodeBinary, mode: Mode, area: string, name: string): Promise<Trace> {
  if (name === exitOf(area)) return (await runArea(node, mode, area, [])).get(name) ?? {};
  const { stdout, end } = await inTurn(() => run(node, mode, ["--stream", "--area", area, "--case", name]));
  const line = stdout.split("\n").find((text) => text.startsWith('{"case":'));
  return line === undefined ? { case: [`not run: the process ${end}`] } : (JSON.parse(line) as { trace: Trace }).trace;
}

/** Two in the direct mode: the two ends. Four when the relay is in between. */
export async function descriptorsPerConnection(node: NodeBinary, mode: Mode): Promise<number> {
  const { stdout, end } = await inTurn(() => run(node, mode, ["--proof"]));
  if (stdout === "") throw new Error(`the process ${end}`);
  return (JSON.parse(stdout) as { descriptors: number }).descriptors;
}

// Processes wait more than they compute, but too many at once would make timers late.
const slots = Math.max(4, availableParallelism() * 2);
const waiting: (() => void)[] = [];
let running = 0;

async function inTurn<Result>(work: () => Promise<Result>): Promise<Result> {
  if (running >= slots) await new Promise<void>((resolve) => waiting.push(resolve));
  else running++;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
  }
}
