/** What happened: operations by client and by fault, how they ended, and what should not have happened. */
import { lineOf } from "./expected.ts";
import type { Kind } from "./expected.ts";

interface Row {
  done: number;
  readonly ends: Map<string, number>;
}

/** As many violations are printed in full. */
const PRINTED = 25;

export class Tally {
  readonly byClient: Map<string, Row> = new Map();
  readonly byFault: Map<string, Row> = new Map();
  /** Of operations without a fault on connections that no scope uses, in ms. */
  readonly controlMs: Map<string, number[]> = new Map();
  /** What an operation had left of its least time: negative, had it been early. */
  leastSlackMs: number = Infinity;
  violations = 0;
  operations = 0;

  ended(client: string, fault: string, end: Kind | "ok"): void {
    this.operations++;
    for (const [rows, name] of [
      [this.byClient, client],
      [this.byFault, fault],
    ] as const) {
      const row = rows.get(name) ?? { done: 0, ends: new Map<string, number>() };
      rows.set(name, row);
      row.done++;
      row.ends.set(end, (row.ends.get(end) ?? 0) + 1);
    }
  }

  control(client: string, ms: number): void {
    const sample = this.controlMs.get(client) ?? [];
    this.controlMs.set(client, sample);
    sample.push(ms);
  }

  violated(what: string, error?: unknown): void {
    if (++this.violations > PRINTED) return;
    console.error(`VIOLATION: ${what}${error === undefined ? "" : `\n  ${lineOf(error)}`}`);
    if (error instanceof Error) console.error(error.stack);
  }
}

export function quantile(values: readonly number[], at: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(at * sorted.length))] ?? 0;
}

export function markdown(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)].join("\n");
}

/** One row for each client or fault, with how its operations ended. */
export function endsTable(what: string, rows: ReadonlyMap<string, Row>): string {
  const ends = ["ok", "reset", "refused", "unreachable", "timeout", "lookup"];
  return markdown(
    [what, "operations", ...ends],
    [...rows]
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([name, row]) => [name, row.done, ...ends.map((end) => row.ends.get(end) ?? "")]),
  );
}
