/** Events of faults that act on the program's own thread: counted in the table as a relay counts its own, then published. */
import { isInjection } from "../engine/decisions.ts";
import type { FlowEvent } from "../engine/types.ts";
import { countScope } from "../table/scopes.ts";
import type { PolicyTable } from "../table/table.ts";

export interface LocalEventHost {
  table(): PolicyTable;
  events(events: readonly FlowEvent[]): void;
}

export function recordLocal(host: LocalEventHost, event: FlowEvent): void {
  countScope(host.table(), event.scope, "events");
  if (isInjection(event.decision)) countScope(host.table(), event.scope, "injected");
  host.events([event]);
}
