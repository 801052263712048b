import type { Trace } from "../run-fixture.ts";
/** Line by line, per actor: "-" is what the first trace has, "+" the second one. Actors that agree are left out. */
export function difference(before: Trace, after: Trace): string;
