/** When two scopes have one connection at one time: that their faults may have mixed is noted in both. */
import type { ScopeRecord } from "../scope/record.ts";

/** Somebody (`next`; undefined: nobody's scope) uses a connection on which `user` still waits for an answer. */
function noteSharing(user: ScopeRecord | undefined, next: ScopeRecord | undefined): void {
  if (user === next) return;
  if (user !== undefined) user.shared = true;
  if (next !== undefined) next.shared = true;
}

/** The scopes to whose bytes nothing has come back yet. */
export class Unanswered {
  readonly #users = new Set<ScopeRecord>();

  /** `waiting`: nothing has been read since somebody wrote. So what comes may be an earlier user's answer, and is governed by the next one. */
  used(next: ScopeRecord | undefined, waiting: boolean): void {
    if (!waiting) this.#users.clear();
    for (const user of this.#users) if (user.live) noteSharing(user, next);
    if (next !== undefined) this.#users.add(next);
  }
}

/** The open requests of a multiplexed connection, in the order in which they were made. */
export class OpenRequests {
  readonly #requests = new Map<number, ScopeRecord | undefined>();

  opened(request: number, record: ScopeRecord | undefined): void {
    for (const other of this.#requests.values()) noteSharing(other, record);
    this.#requests.set(request, record);
  }

  scopes(): Iterable<ScopeRecord | undefined> {
    return this.#requests.values();
  }

  /** Returns the scope that governs the connection again, if that changes. */
  closed(request: number): ScopeRecord | undefined {
    const latest = [...this.#requests.keys()].at(-1);
    this.#requests.delete(request);
    const next = [...this.#requests.values()].at(-1);
    return latest === request && next?.live === true ? next : undefined;
  }
}
