/** What the table has counted and measured for a scope, with the names of its faults. */
import { CAUSES } from "../engine/registry.ts";
import type { RowCounters } from "../scope/record.ts";
import { ScopeMeasures } from "../table/measures.ts";
import { scopeCounters } from "../table/scopes.ts";
import type { PolicyTable } from "../table/table.ts";

export function rowCounters(table: PolicyTable, ref: number): RowCounters {
  const { kept, lateness } = new ScopeMeasures(table, ref).read();
  const { flows, injected, decisions } = scopeCounters(table, ref);
  return { flows, injected, decisions: named(decisions), kept: named(kept), lateness };
}

function named<T>(byNumber: ReadonlyMap<number, T>): Map<string, T> {
  return new Map([...byNumber].map(([id, value]) => [CAUSES.get(id) ?? "", value]));
}
