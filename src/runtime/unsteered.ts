/** Sockets that were used in scopes and cannot be faulted: each counts once in a scope. */
import type { ScopeRecord } from "../scope/record.ts";
import { isMocked } from "../steer/handles.ts";

export class Unsteered {
  readonly #seen = new WeakMap<ScopeRecord, WeakSet<object>>();

  /** Returns whether the socket is new to the scope. Mocked ones have no connection that could be faulted. */
  note(record: ScopeRecord, socket: object): boolean {
    let seen = this.#seen.get(record);
    if (seen === undefined) this.#seen.set(record, (seen = new WeakSet()));
    if (seen.has(socket) || isMocked(socket)) return false;
    seen.add(socket);
    record.unsteered++;
    return true;
  }
}
