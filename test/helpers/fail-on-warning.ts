/**
 * Fails a test during which the process warned about something of ours: a warning that faultcore emits, or one that Node emits with
 * faultcore on its stack (too many listeners, a deprecation). A test that expects a warning takes it with `takeWarnings()`.
 */
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { afterEach } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const ours = [`${root}src/`, `${root}dist/`];
const seen: Error[] = [];

process.on("warning", (warning) => {
  const text = warning.stack ?? warning.message;
  if (warning.name.startsWith("Faultcore") || ours.some((folder) => text.includes(folder))) seen.push(warning);
});

/** The warnings of ours since the last call; they no longer fail the test. Node emits warnings on the next tick. */
export async function takeWarnings(): Promise<Error[]> {
  await setImmediate();
  return seen.splice(0);
}

afterEach(async () => {
  const warnings = await takeWarnings();
  if (warnings.length > 0) throw new Error(`process warning: ${warnings.map((w) => w.stack).join("\n")}`);
});
