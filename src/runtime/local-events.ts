/** Events of faults that act on the program's own thread: counted in the table as a relay counts its own, then published. */
import { eventOf, isInjection } from "../engine/decisions.ts";
import { causeNumber } from "../engine/registry.ts";
import type { Decision, FlowEvent } from "../engine/types.ts";
import { countDecision } from "../table/scopes.ts";
import type { PolicyTable } from "../table/table.ts";

export interface LocalEventHost {
  table(): PolicyTable;
  events(events: readonly FlowEvent[]): void;
}

export function recordLocal(host: LocalEventHost, decision: Decision, scope: number, flowHash: bigint): void {
  countDecision(host.table(), scope, causeNumber(decision.fault), isInjection(decision.decision));
  host.events([eventOf(decision, scope, flowHash)]);
}
