/** A report as text, for people: what a test runner prints when a test fails. */
import type { FlowReport } from "./flow-report.ts";
import type { FaultReport, MeasuredReport, ScopeReport } from "./report.ts";

/** Flows that are listed; the rest is only counted. */
const MAX_FLOWS = 20;
const INDENT = "  ";

/**
 * A report in a few aligned lines: what was injected, by fault and by flow, and what was not.
 *
 * @example
 * console.log(formatReport(scope.report()));
 * // slow_link (scope 1, application 0, seed 7), ended: 4 injected
 * //   faults  latency  4 events, asked for 200 ms (most 50 ms), measured mean 50.3 ms, most 50.9 ms
 * //   flows   localhost:#0 (0)  governed: no targets, 4 events
 * //   clock   4 waits, late by 0.3 ms (mean), 0.9 ms (most)
 */
export function formatReport(report: ScopeReport): string {
  const { policy, scope, ordinal, seed, state, injected, events } = report;
  const lines = [`${policy} (scope ${scope}, application ${ordinal}, seed ${seed}), ${state}: ${injected} injected`];
  const sections: readonly (readonly [title: string, lines: readonly string[]])[] = [
    ["faults", aligned(Object.entries(report.faults).map(([fault, done]) => [fault, faultText(done)]))],
    ["silent", report.silentFaults.length === 0 ? [] : [`${report.silentFaults.join(", ")}: never acted`]],
    ["flows", flowLines(report.flows)],
    ["rules", report.unmatchedRules.map(({ index, text }) => `${index}: ${text} matched nothing`)],
    ["notes", notes(report)],
    ["clock", report.lateness.count === 0 ? [] : [latenessText(report.lateness)]],
    ["events", events.dropped === 0 ? [] : [`${events.recorded} recorded, ${events.kept} kept`]],
  ];
  const shown = sections.filter(([, body]) => body.length > 0);
  const width = Math.max(0, ...shown.map(([title]) => title.length));
  for (const [title, body] of shown) {
    for (const [n, line] of body.entries()) lines.push(`${INDENT}${(n === 0 ? title : "").padEnd(width)}${INDENT}${line}`);
  }
  return lines.join("\n");
}

function faultText({ count, delayMs, maxDelayMs, held, measured, codes }: FaultReport): string {
  const parts = [plural(count, "event")];
  if (delayMs > 0) parts.push(`asked for ${ms(delayMs)} (most ${ms(maxDelayMs)})`);
  if (held > 0) parts.push(`${held} without an end`);
  if (measured !== null) parts.push(`measured mean ${ms(measured.meanMs)}, most ${ms(measured.maxMs)}`);
  for (const [code, times] of Object.entries(codes)) parts.push(`${code} x${times}`);
  return parts.join(", ");
}

function flowLines(flows: readonly FlowReport[]): string[] {
  const lines = aligned(flows.slice(0, MAX_FLOWS).map((flow) => [`${flow.target} (${flow.flow})`, flowText(flow)]));
  if (flows.length > MAX_FLOWS) lines.push(`and ${flows.length - MAX_FLOWS} more`);
  return lines;
}

function flowText({ governed, matched, leftAlone, rule, skipped, events }: FlowReport): string {
  const by = rule === null ? "" : `, by rule ${rule.index}: ${rule.text}`;
  const parts: string[] = [];
  if (governed === null) parts.push("not judged yet");
  else if (governed) parts.push(`governed: ${matched ?? "unknown"}${by}`);
  else parts.push(`left alone: ${leftAlone ?? "unknown"}${by}`);
  if (skipped > 0) parts.push(`${plural(skipped, "use")} skipped`);
  if (events > 0) parts.push(plural(events, "event"));
  return parts.join(", ");
}

function notes({ unsteered, skipped, shared }: ScopeReport): string[] {
  const lines: string[] = [];
  if (unsteered > 0) lines.push(`${plural(unsteered, "socket")} opened before steering began: not faulted`);
  if (skipped > 0) lines.push(`${plural(skipped, "use")} left alone by skip or times`);
  if (shared) lines.push("a connection was shared with another scope: their faults may have mixed");
  return lines;
}

function latenessText({ count, meanMs, maxMs }: MeasuredReport): string {
  return `${plural(count, "wait")}, late by ${ms(meanMs)} (mean), ${ms(maxMs)} (most)`;
}

/** The first column as wide as its widest text. */
function aligned(rows: readonly (readonly [string, string])[]): string[] {
  const width = Math.max(0, ...rows.map(([first]) => first.length));
  return rows.map(([first, second]) => `${first.padEnd(width)}${INDENT}${second}`);
}

function plural(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? "" : "s"}`;
}

function ms(value: number): string {
  return `${Number(value.toFixed(value < 10 ? 2 : 1))} ms`;
}
