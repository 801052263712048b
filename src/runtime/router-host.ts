/** What the router of connections asks of the runtime. */
import type { UseKind } from "../policy/registry.ts";
import type { RelayClient } from "../relay/client.ts";
import type { ScopeRecord } from "../scope/record.ts";
import type { LocalEventHost } from "./local-events.ts";
import type { Lookups } from "./lookups.ts";

export interface RouterHost extends LocalEventHost {
  client(): RelayClient;
  readonly lookups: Lookups;
  /** The process-wide activation, also one of another thread. */
  activation(): ScopeRecord | undefined;
  readonly steerAll: boolean;
  isBusy(): boolean;
  threadPath(): string;
  /** Called before each connect of this process: patches what was loaded meanwhile. */
  beforeConnect(): void;
  warnUnsteered(): void;
  /** The live scope of the call that returned this socket. */
  ownerOf(socket: object): ScopeRecord | undefined;
  /** Counts a use; false where the policy leaves it alone (`skip`, `times`). */
  takeUse(record: ScopeRecord, kind: UseKind): boolean;
}
