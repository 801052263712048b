#!/usr/bin/env node
/** The command line: `faultcore <command>`. Exit code 2 means that faultcore refused, and that nothing was started. */
import { Command, CommanderError } from "commander";
import { readFileSync } from "node:fs";
import { FaultcoreError } from "../errors.ts";
import { packageFile } from "../internal/package-files.ts";
import { runCommand } from "./commands/run.ts";

const USAGE_EXIT_CODE = 2;

const { version } = JSON.parse(readFileSync(packageFile("../package.json"), "utf8")) as { version: string };

const program = new Command("faultcore")
  .description("See how a program behaves on a bad network, without changing it.")
  .version(version)
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(text.replace(/^error: /, "faultcore: ")) });

program
  .command("run")
  .description("run a Node.js program, its child processes and its worker threads under a policy")
  .usage("[--policies FILE] --policy NAME [--seed N] -- COMMAND [ARGUMENT…]")
  .option("--policies <file>", "policy file: .json, .yaml or .yml; presets need none")
  .requiredOption("--policy <name>", "the policy to apply to every connection: a name of the file, or a preset such as preset:wpt-3g")
  .option("--seed <n>", "seed of the run: decimal, 0x… or 0b…, up to 64 bits (default: FAULTCORE_SEED, else random)")
  .argument("[command...]", "the program and its arguments, after --")
  .addHelpText("after", "\nExample:\n  faultcore run --policies policies.yaml --policy slow_link --seed 7 -- node app.js")
  .action(async (command: string[], options: { policies?: string; policy: string; seed?: string }) => {
    await runCommand({ ...options, policies: options.policies, command });
  });

// Whoever read our output may have gone (`faultcore run --help | head -1`). The command that was started is not concerned.
for (const stream of [process.stdout, process.stderr]) {
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}

try {
  // `main()` without top-level await: see docs/adr/0003-esm-with-a-commonjs-entry.md.
  program.parseAsync().catch(refuse);
} catch (error) {
  refuse(error);
}

function refuse(error: unknown): void {
  if (error instanceof CommanderError) {
    // Help and version come this way too; commander has printed its message.
    process.exitCode = error.exitCode === 0 ? 0 : USAGE_EXIT_CODE;
    return;
  }
  if (!(error instanceof FaultcoreError)) throw error;
  process.stderr.write(`faultcore: ${error.message} [${error.code}]\n`);
  process.exitCode = USAGE_EXIT_CODE;
}
