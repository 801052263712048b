/** What a failing test prints: the seeds of its scopes, what they did, and how to have the same faults again. */
import { relative, sep } from "node:path";
import { formatReport, runSeed } from "../index.ts";
import type { TestSession } from "./session.ts";

/** Scopes that are shown; of the others there is the number. */
const MAX_SCOPES = 10;
/** Flows of each that are. */
const MAX_FLOWS = 5;

/** @param command what runs this test alone. Undefined where the test had nothing to do with faults. */
export function failureNote(session: TestSession, command: string): string | undefined {
  const scopes = session.scopes.map((scope) => scope.report());
  const others = session.others();
  if (scopes.length === 0 && others.length === 0) return undefined;
  const run = String(runSeed());
  const lines = [`Faults in this test, seed ${run}:`];
  const indent = (line: string): string => `  ${line}`;
  for (const report of scopes.slice(0, MAX_SCOPES)) {
    const { flows } = report;
    lines.push(
      ...formatReport({ ...report, flows: flows.slice(0, MAX_FLOWS) })
        .split("\n")
        .map(indent),
    );
    if (flows.length > MAX_FLOWS) lines.push(indent(`  and ${flows.length - MAX_FLOWS} more flows`));
  }
  if (scopes.length > MAX_SCOPES) lines.push(`  … and ${scopes.length - MAX_SCOPES} more scopes`);
  for (const { policy, seed, events } of others.slice(0, MAX_SCOPES)) {
    lines.push(indent(`${policy} (seed ${seed}), a scope made without \`faults\`: ${events} ${events === 1 ? "event" : "events"}`));
  }
  lines.push("The same faults again:", `  FAULTCORE_SEED=${run} ${command}`);
  return lines.join("\n");
}

/** A test's title as a pattern that shells and regular expressions take alike: what either could misread stands for any character. */
export function titlePattern(title: string): string {
  return `"${title.replaceAll(/[\s"'`$\\!%^.*+?()[\]{}|]/g, (char) => (char === " " ? char : "."))}"`;
}

/** The path of a test file as one types it. */
export function shownPath(path: string): string {
  const shown = relative(process.cwd(), path).split(sep).join("/");
  return /\s/.test(shown) ? `"${shown}"` : shown;
}
