/** What `faultcore/register` does: steers everything, and applies the policy that the environment names. */
import { isMainThread } from "node:worker_threads";
import { FaultcoreError } from "../errors.ts";
import { getRuntime } from "./instance.ts";

const REFUSED_EXIT_CODE = 2;

/** Never throws what a user caused: the process ends with one clear message, before the program has begun. */
export function registerFromEnvironment(): void {
  try {
    apply();
  } catch (error) {
    if (!(error instanceof FaultcoreError)) throw error;
    process.stderr.write(`faultcore: ${error.message} [${error.code}]\n`);
    process.exit(REFUSED_EXIT_CODE);
  }
}

function apply(): void {
  const runtime = getRuntime();
  runtime.install({ steer: "always" });
  // A worker thread has the table of its parent: the activation and the policies are there already.
  if (!isMainThread && runtime.inherited) return;
  const { FAULTCORE_POLICIES: file, FAULTCORE_POLICY: name } = process.env;
  if (file !== undefined && file !== "") runtime.registry.load(file);
  if (name !== undefined && name !== "") runtime.layer.api.activate(name);
}
