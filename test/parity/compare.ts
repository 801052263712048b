// Compares what a program saw direct and steered.
import { stripVTControlCharacters } from "node:util";
import type { Trace } from "./run-fixture.ts";

const rerunCount = 3;

export interface Runs {
  direct(): Promise<Trace>;
  steered(): Promise<Trace>;
}

export type Verdict =
  | { readonly kind: "same" }
  /** The re-runs agreed, so that the first difference was a disturbance of this machine; the note says what it was. */
  | { readonly kind: "same on re-runs"; readonly note: string }
  /** The direct program does not repeat itself: nothing can be said. */
  | { readonly kind: "undefined"; readonly note: string }
  | { readonly kind: "different"; readonly difference: string };

const key = (trace: Trace): string => JSON.stringify(trace);

export async function compare(direct: Trace, steered: Trace, again: Runs): Promise<Verdict> {
  if (key(direct) === key(steered)) return { kind: "same" };
  const directs = [direct];
  const steereds = [steered];
  for (let run = 0; run < rerunCount; run++) {
    // One at a time: alone on the machine, a case shows what it does, not what the load does to it.
    directs.push(await again.direct());
    steereds.push(await again.steered());
  }
  const known = new Set(directs.map(key));
  const first = difference(direct, steered);
  if (known.size > 1) {
    const strangers = steereds.filter((trace) => !known.has(key(trace))).length;
    if (strangers === 0) return { kind: "same on re-runs", note: `the direct run varies, and the steered run varies within it\n${first}` };
    return { kind: "undefined", note: `${known.size} different traces in ${directs.length} direct runs\n${difference(direct, directs.find((trace) => key(trace) !== key(direct)) ?? direct)}` };
  }
  const wrong = steereds.slice(1).filter((trace) => !known.has(key(trace)));
  if (wrong[0] === undefined) return { kind: "same on re-runs", note: `the first steered run differed\n${first}` };
  const count = `${wrong.length + 1} of ${steereds.length} steered runs differ from all ${directs.length} direct ones`;
  return { kind: "different", difference: `${count}\n${difference(direct, wrong[0])}` };
}

/** Line by line, per actor: "-" is what the direct program saw, "+" the steered one. Actors that agree are left out. */
export function difference(direct: Trace, steered: Trace): string {
  const parts: string[] = [];
  for (const actor of new Set([...Object.keys(direct), ...Object.keys(steered)])) {
    const before = direct[actor] ?? [];
    const after = steered[actor] ?? [];
    if (JSON.stringify(before) === JSON.stringify(after)) continue;
    parts.push(`  ${actor}:`, ...alignLines(before, after));
  }
  return stripVTControlCharacters(parts.join("\n"));
}

function alignLines(before: readonly string[], after: readonly string[]): string[] {
  const common = longestCommon(before, after);
  const lines: string[] = [];
  let b = 0;
  let a = 0;
  for (const line of [...common, undefined]) {
    while (b < before.length && before[b] !== line) lines.push(`  - ${before[b++]}`);
    while (a < after.length && after[a] !== line) lines.push(`  + ${after[a++]}`);
    if (line !== undefined) lines.push(`    ${line.length > 120 ? `${line.slice(0, 120)}…` : line}`);
    b++;
    a++;
  }
  return lines;
}

function longestCommon(before: readonly string[], after: readonly string[]): string[] {
  const lengths = Array.from({ length: before.length + 1 }, () => new Array<number>(after.length + 1).fill(0));
  const at = (b: number, a: number): number => lengths[b]?.[a] ?? 0;
  for (let b = before.length - 1; b >= 0; b--) {
    for (let a = after.length - 1; a >= 0; a--) {
      const row = lengths[b];
      if (row !== undefined) row[a] = before[b] === after[a] ? at(b + 1, a + 1) + 1 : Math.max(at(b + 1, a), at(b, a + 1));
    }
  }
  const common: string[] = [];
  for (let b = 0, a = 0; b < before.length && a < after.length; ) {
    const line = before[b];
    if (line !== undefined && line === after[a]) {
      common.push(line);
      b++;
      a++;
    } else if (at(b + 1, a) >= at(b, a + 1)) b++;
    else a++;
  }
  return common;
}
