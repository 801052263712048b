/** What a worker thread gets from the thread that made it: the table, the run's seed, a copy of the policies. */
import { getEnvironmentData, setEnvironmentData, threadId } from "node:worker_threads";
import type { RegistrySnapshot } from "../policy/registry.ts";
import { PolicyTable } from "../table/table.ts";

const KEY = "faultcore";

export interface Inheritance {
  readonly table: SharedArrayBuffer;
  readonly seed: bigint;
  readonly policies: RegistrySnapshot;
}

export function readInheritance(): Inheritance | undefined {
  const data = getEnvironmentData(KEY) as unknown as Inheritance | undefined;
  return data !== undefined && PolicyTable.fits(data.table) ? data : undefined;
}

/** Hands down from now on. The policies are copied when a worker is made, not now. */
export function bequeath(table: PolicyTable, seed: () => bigint, policies: () => RegistrySnapshot): void {
  const data: Inheritance = {
    table: table.buffer,
    get seed() {
      return seed();
    },
    get policies() {
      return policies();
    },
  };
  setEnvironmentData(KEY, data);
}

/** Number of this thread for the table's lock; 0 would mean "nobody". */
export const lockOwner: number = threadId + 1;
