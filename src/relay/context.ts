/** What a flow may ask of the relay that it lives in. */
import type { SeverityAt } from "../engine/faults/loss.ts";
import type { SharedLink } from "../engine/shared-link.ts";
import type { Decision, Direction } from "../engine/types.ts";
import type { CompiledPolicy } from "../policy/types.ts";
import type { Binding } from "../table/flows.ts";
import type { PolicyTable } from "../table/table.ts";
import type { DeadlineClock } from "../internal/deadline-clock.ts";
import type { RelayFlow } from "./flow.ts";
import type { FromRelay } from "./protocol.ts";
import type { RoundTrips } from "./round-trips.ts";
import type { Landing } from "./sockets/landing.ts";
import type { Network } from "./sockets/socket.ts";

export interface RelayContext {
  readonly table: PolicyTable;
  readonly clock: DeadlineClock;
  readonly network: Network;
  readonly landing: Landing;
  readonly windowBytes: number;
  readonly roundTrips: RoundTrips;
  post(message: FromRelay): void;
  /** The policy's body; drains the port when the number is new. */
  policy(policyId: number, scope: number): CompiledPolicy | undefined;
  /** A binding that went by message; drains the port. */
  spilledBinding(flow: number, sequence: number): Binding | undefined;
  /** The link that the flows of a scope share. */
  link(scope: number, direction: Direction, rateBps: number, severityAt: SeverityAt | undefined): SharedLink;
  record(scope: number, flowHash: bigint, decision: Decision): void;
  /** Sends recorded events: called before anything that they explain can be seen by the program. */
  flushEvents(): void;
  /** The flow has a binding to the scope. */
  enterScope(scope: number, flow: RelayFlow): void;
  /** The flow holds nothing of the ended scope any more. */
  leaveScope(scope: number, flow: RelayFlow): void;
  done(flow: RelayFlow): void;
}
