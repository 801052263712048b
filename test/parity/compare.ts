// Compares what a program saw direct and steered.
import { difference } from "./kit/difference.mjs";
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
    return {
      kind: "undefined",
      note: `${known.size} different traces in ${directs.length} direct runs\n${difference(direct, directs.find((trace) => key(trace) !== key(direct)) ?? direct)}`,
    };
  }
  const wrong = steereds.slice(1).filter((trace) => !known.has(key(trace)));
  if (wrong[0] === undefined) return { kind: "same on re-runs", note: `the first steered run differed\n${first}` };
  const count = `${wrong.length + 1} of ${steereds.length} steered runs differ from all ${directs.length} direct ones`;
  return { kind: "different", difference: `${count}\n${difference(direct, wrong[0])}` };
}
