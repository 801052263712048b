/** What a worker thread gets from the thread that made it: the table, the run's seed, a copy of the policies. */
import { getEnvironmentData, setEnvironmentData, threadId } from "node:worker_threads";
import type { RegistrySnapshot } from "../policy/registry.ts";
import { PolicyTable } from "../table/table.ts";

const KEY = "faultcore";

export interface Inheritance {
  readonly table: SharedArrayBuffer;
  /** Undefined where the parent has not needed one yet. */
  readonly seed: bigint | undefined;
  readonly policies: RegistrySnapshot;
}

export function readInheritance(): Inheritance | undefined {
  const data = getEnvironmentData(KEY) as unknown as Inheritance | undefined;
  return data !== undefined && PolicyTable.fits(data.table) ? data : undefined;
}

/** Hands down from now on. What it is, is asked when a worker is made, not now. */
export function bequeath(estate: { table(): SharedArrayBuffer; seed(): bigint | undefined; policies(): RegistrySnapshot }): void {
  const data: Inheritance = {
    get table() {
      return estate.table();
    },
    get seed() {
      return estate.seed();
    },
    get policies() {
      return estate.policies();
    },
  };
  setEnvironmentData(KEY, data);
}

/** Number of this thread for the table's lock; 0 would mean "nobody". */
export const lockOwner: number = threadId + 1;
