/** `faultcore run`: checks the policy here, then starts the command with `faultcore/register` in its NODE_OPTIONS. */
import { spawn } from "node:child_process";
import { constants } from "node:os";
import { resolve } from "node:path";
import { isatty } from "node:tty";
import { FaultcoreError, checkPolicy, loadPolicies, runSeed } from "../../index.ts";
import { packageFile } from "../../internal/package-files.ts";

export interface RunOptions {
  /** Undefined: only presets can be applied. */
  readonly policies: string | undefined;
  readonly policy: string;
  readonly seed?: string | undefined;
  readonly command: readonly string[];
}

/** Signals that reach this process and are meant for the command. */
const FORWARDED: readonly NodeJS.Signals[] = ["SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2", "SIGINT"];

/** Resolves when the command has ended; its exit code or signal is then this process's own. */
export async function runCommand(options: RunOptions): Promise<void> {
  const [file, ...args] = options.command;
  if (file === undefined || file === "") {
    throw new FaultcoreError(
      "ERR_FAULTCORE_INVALID_ARGUMENT",
      "No command to run: give it after --, as in `faultcore run … -- node app.js`.",
    );
  }
  const path = options.policies === undefined ? "" : resolve(options.policies);
  if (path !== "") loadPolicies(path);
  else if (!options.policy.startsWith("preset:")) {
    const text = `No policy file: give --policies FILE that has the policy "${options.policy}", or a preset such as --policy preset:wpt-3g.`;
    throw new FaultcoreError("ERR_FAULTCORE_INVALID_ARGUMENT", text, { path: "--policies" });
  }
  checkPolicy(options.policy);
  const seed = runSeed(options.seed);
  process.stderr.write(`faultcore: policy "${options.policy}", seed ${seed}\n`);
  await start(file, args, {
    ...process.env,
    NODE_OPTIONS: withRegister(process.env["NODE_OPTIONS"]),
    FAULTCORE_POLICIES: path,
    FAULTCORE_POLICY: options.policy,
    FAULTCORE_SEED: seed.toString(),
  });
}

function withRegister(nodeOptions: string | undefined): string {
  // A URL has no spaces, so it needs no quotes.
  const option = `--import=${packageFile("register.js").href}`;
  if (nodeOptions === undefined || nodeOptions.trim() === "") return option;
  return nodeOptions.includes(option) ? nodeOptions : `${nodeOptions} ${option}`;
}

function start(file: string, args: readonly string[], env: NodeJS.ProcessEnv): Promise<void> {
  return new Promise((done, fail) => {
    const child = spawn(file, args, { stdio: "inherit", env });
    const forward = (signal: NodeJS.Signals): void => {
      // From a terminal Ctrl-C reaches the whole process group: the command has it already. One of the streams may be redirected.
      if (signal === "SIGINT" && [0, 1, 2].some((stream) => isatty(stream))) return;
      child.kill(signal);
    };
    for (const signal of FORWARDED) process.on(signal, forward);
    const release = (): void => {
      for (const signal of FORWARDED) process.off(signal, forward);
    };
    child.once("error", (cause: NodeJS.ErrnoException) => {
      release();
      const why = cause.code === "ENOENT" ? "there is no such command" : cause.message;
      fail(new FaultcoreError("ERR_FAULTCORE_INVALID_ARGUMENT", `"${file}" could not be started: ${why}.`, { cause }));
    });
    child.once("exit", (code, signal) => {
      release();
      if (signal === null) process.exitCode = code ?? 0;
      else dieOf(signal);
      done();
    });
  });
}

/** Ends as the command did, so that a shell sees the same. */
function dieOf(signal: NodeJS.Signals): void {
  process.exitCode = 128 + (constants.signals[signal] ?? 0);
  if (process.platform !== "win32") process.kill(process.pid, signal);
}
