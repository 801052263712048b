// The table of a run, and whether its goals are met. Goals inform: nothing passes or fails by them.
import { cpus, loadavg, totalmem } from "node:os";
import { metricsOf } from "./groups.mjs";
import { interval, median, sorted } from "./stats.mjs";

const COLUMNS = ["direct", "idle", "steered", "scope", "policy", "toxiproxy"];

function number(value) {
  if (value === 0) return "0";
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return digits === 0 ? Math.round(value).toLocaleString("en") : value.toFixed(Math.min(digits, 3));
}
const span = ([low, high], show = number) => (low === high ? "" : ` (${show(low)}–${show(high)})`);
const ratio = (value) => value.toFixed(Math.abs(value) >= 10 ? 1 : 3);

/** The values of a metric in one mode, round by round. */
function valuesOf(metric, mode, results) {
  const values = results[mode]?.map((result) => result[metric.key]);
  if (values === undefined || metric.less === undefined || mode === metric.less || mode === "toxiproxy") return values;
  const less = results[metric.less];
  return values.map((value, round) => value - less[round][metric.key]);
}
const ratiosOf = (metric, mode, over, results) => {
  const base = valuesOf(metric, over, results);
  return valuesOf(metric, mode, results)?.map((value, round) => value / base[round]);
};

function cell(group, metric, mode, results) {
  if (results[mode] === undefined || !metricsOf(group, mode === "control" ? "direct" : mode).includes(metric)) return "";
  const values = valuesOf(metric, mode, results);
  if (metric.worst === "least") return number(sorted(values)[0]);
  const own = number(median(values));
  if (metric.plain) return own + span(interval(values));
  if (mode === "direct" || results.direct === undefined || !metricsOf(group, "direct").includes(metric)) return own;
  const ratios = ratiosOf(metric, mode, "direct", results);
  return `${own} · ${ratio(median(ratios))}${span(interval(ratios), ratio)}`;
}

/** What became of a goal: its words, whether it is met by all the modes that it is for, and their values. */
function judge(metric, goal, results) {
  const { of, over, atLeast, atMost, upper } = goal;
  const name = over === "toxiproxy" ? "Toxiproxy" : over;
  const limit = atLeast ?? atMost;
  const words = `${upper ? "95 % bound " : ""}${atLeast === undefined ? "≤" : "≥"} ${limit}${over === undefined ? "" : ` × ${name}`}`;
  if (over !== undefined && results[over] === undefined) return { words, met: undefined, values: [] };
  const values = of.map((mode) => {
    const all = over === undefined ? valuesOf(metric, mode, results) : ratiosOf(metric, mode, over, results);
    if (metric.worst === "least") return sorted(all)[0];
    return upper ? interval(all)[1] : median(all);
  });
  return { words, met: values.every((value) => (atLeast === undefined ? value <= limit : value >= limit)), values };
}

function goalCell(metric, results) {
  const verdicts = (metric.goals ?? []).map((goal) => judge(metric, goal, results));
  return verdicts
    .map(({ words, met, values }) => {
      if (met === undefined) return `${words}: not measured`;
      return `${words}: ${met ? "met" : "**not met**"} (${values.map(ratio).join(", ")})`;
    })
    .join("; ");
}

/** The rows of a group, without the bars between cells. Quick figures are judged by no goal. */
export function rowsOf(group, results, quick) {
  const rows = [];
  for (const metric of group.metrics) {
    if (metric.linux && process.platform !== "linux") continue;
    const cells = COLUMNS.map((mode) => cell(group, metric, mode, results));
    rows.push([metric.label, ...cells, quick ? "" : goalCell(metric, results)]);
    if (results.control === undefined) continue;
    const again = COLUMNS.map((mode) => (mode === "idle" ? cell(group, metric, "control", results) : mode === "direct" ? cells[0] : ""));
    rows.push(["the same, directly both times: what noise makes of no difference", ...again, ""]);
  }
  return rows;
}

export const header = ["work", ...COLUMNS.map((mode) => (mode === "toxiproxy" ? "Toxiproxy" : mode)), "goal"];
export const line = (cells) => `| ${cells.join(" | ")} |`;

export function machine(toxiproxy) {
  return {
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpus: `${cpus().length} × ${cpus()[0]?.model.trim() ?? "unknown CPU"}`,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    load: loadavg().map((load) => Number(load.toFixed(2))),
    toxiproxy,
  };
}
