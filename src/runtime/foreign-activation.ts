/** The process-wide activation of another thread, as this thread knows it. */
import { deserialize } from "node:v8";
import type { CompiledPolicy } from "../policy/types.ts";
import { ScopeRecord } from "../scope/record.ts";
import { readActivation, readScope } from "../table/scopes.ts";
import type { PolicyTable } from "../table/table.ts";

export class ForeignActivation {
  #record: ScopeRecord | undefined;

  /** The record of this reference, if it was met before. */
  known(ref: number): ScopeRecord | undefined {
    return this.#record?.ref === ref ? this.#record : undefined;
  }

  /** The activation that stands in the table under this reference; undefined when it has just ended. */
  read(table: PolicyTable, ref: number): ScopeRecord | undefined {
    const known = this.known(ref);
    if (known !== undefined) return known;
    const activation = readActivation(table);
    const row = activation && readScope(table, activation.ref);
    if (activation === undefined || row === undefined) return undefined;
    const policy = deserialize(activation.body) as CompiledPolicy;
    this.#record = new ScopeRecord({ ref: activation.ref, policy, fields: {}, ordinal: row.ordinal, seed: row.seed, ofProcess: true });
    return this.#record;
  }
}
