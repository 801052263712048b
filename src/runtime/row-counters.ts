/** What the table has counted and measured for a scope, with the names of its faults. */
import { FAULT_IDS } from "../engine/registry.ts";
import type { RowCounters } from "../scope/record.ts";
import { ScopeMeasures } from "../table/measures.ts";
import { scopeCounters } from "../table/scopes.ts";
import type { PolicyTable } from "../table/table.ts";

const NAMES: ReadonlyMap<number, string> = new Map(Object.entries(FAULT_IDS).map(([name, id]) => [id, name]));

export function rowCounters(table: PolicyTable, ref: number): RowCounters {
  const { kept, lateness } = new ScopeMeasures(table, ref).read();
  return { ...scopeCounters(table, ref), kept: new Map([...kept].map(([id, times]) => [NAMES.get(id) ?? "", times])), lateness };
}
