/** The final figures, as Markdown. */
import { endsTable, markdown, quantile } from "./tally.ts";
import type { Tally } from "./tally.ts";
import { TOLERANCE } from "./watch.ts";
import type { Counts, Watch, Window } from "./watch.ts";

export interface Figures {
  readonly tally: Tally;
  readonly watch: Watch;
  readonly windows: readonly Window[];
  /** Decisions, by fault. */
  readonly faults: ReadonlyMap<string, number>;
  readonly before: Counts;
  readonly after: Counts;
  readonly minutes: number;
  /** There and back without faultcore. */
  readonly directMs: readonly number[];
}

export function printFigures({ tally, watch, windows, faults, before, after, minutes, directMs }: Figures): void {
  const [first, last] = [windows[0]!, windows.at(-1)!];
  const keys = Object.keys(TOLERANCE) as (keyof Window)[];
  const [median, late, latest] = watch.lateness();
  const resources = ({ resources: counts }: Counts): string =>
    Object.entries(counts)
      .map(([name, count]) => `${count} ${name}`)
      .join(", ");
  const ms = (value: number): string => value.toFixed(1);
  console.log(
    [
      "",
      `## Soak of ${minutes} minutes`,
      markdown(
        ["what", "figure"],
        [
          ["operations", tally.operations],
          ["violations", tally.violations],
          ["connections at peak", watch.flowsAtPeak],
          ["scopes at peak (sampled)", watch.scopesAtPeak],
          ["least slack of a delay, ms", ms(tally.leastSlackMs)],
          ["lateness of the program's loop, ms (median, 99 %, most)", `${median}, ${late}, ${latest}`],
          ["the program's loop was busy, %", watch.busyPercent],
          ["left at the end: connections, scopes", `${after.flows}, ${after.scopes}`],
          ["descriptors before, after", `${before.descriptors}, ${after.descriptors}`],
          ["handles before", resources(before)],
          ["handles after", resources(after)],
        ],
      ),
      "",
      markdown(
        ["means of a window", "first", ...windows.slice(1, -1).map((_, at) => String(at + 2)), "last", "tolerance"],
        keys.map((key) => [key, ...windows.map((window) => window[key]), `+${TOLERANCE[key][0] * 100} % + ${TOLERANCE[key][1]}`]),
      ),
      "",
      endsTable("client", tally.byClient),
      "",
      endsTable("fault", tally.byFault),
      "",
      markdown(
        ["decisions", "count"],
        [...faults].toSorted().map(([name, count]) => [name, count]),
      ),
      "",
      markdown(
        ["unfaulted, on its own connection", "operations", "median ms", "99 % ms", "most ms"],
        [["without faultcore: a byte there and back", directMs] as const, ...tally.controlMs].map(([name, sample]) => [
          name,
          sample.length,
          ...[0.5, 0.99, 1].map((at) => ms(quantile(sample, at))),
        ]),
      ),
      first === last ? "one window only" : "",
    ].join("\n"),
  );
}
