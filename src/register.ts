/**
 * `node --import faultcore/register program.js`: steers every outbound connection of the process from the start, and applies the policy
 * that the environment names:
 *
 * - `FAULTCORE_POLICIES`: path of a policy file (.json, .yaml, .yml)
 * - `FAULTCORE_POLICY`: name of the policy to apply to the whole process
 * - `FAULTCORE_SEED`: seed of the run
 *
 * Child processes inherit the environment, worker threads the option. The only module of the package with side effects.
 */
import { registerFromEnvironment } from "./runtime/environment.ts";

registerFromEnvironment();
