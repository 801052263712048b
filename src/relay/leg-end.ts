/** The ends of the program's leg. How it ends stands in the table first: TCP alone cannot tell the program's side. */
import { markGenuineFin, markReset, storeFlowError } from "../table/flows.ts";
import type { PolicyTable } from "../table/table.ts";
import { codeOf } from "../internal/errnos.ts";
import type { RelaySocket } from "./sockets/socket.ts";

/**
 * The peer ended: the only end of file that the program believes. Before the last byte is with the kernel there is nothing to believe: the
 * relay may die, and the kernel ends its connections then.
 */
export function endLeg(leg: RelaySocket | undefined, table: PolicyTable, flow: number): void {
  leg?.whenWritten(() => {
    if (leg.destroyed) return;
    markGenuineFin(table, flow);
    leg.end();
  });
}

/** The relay is dying. An end of which the program has been told is one; anything else is not. */
export function loseLeg(leg: RelaySocket | undefined): void {
  if (leg?.ended === true) leg.destroy();
  else leg?.reset();
}

/**
 * The flow failed with this error (negative errno), which the program reads behind everything that was written to the leg: a reset could
 * overtake that. Without the mark of a genuine end, the program's side takes the end for the error.
 */
export function failLeg(leg: RelaySocket | undefined, table: PolicyTable, flow: number, errno: number): void {
  storeFlowError(table, flow, errno, true);
  markReset(table, flow);
  leg?.end();
}

/** The flow failed with this error (negative errno), of which only ECONNRESET crosses TCP as itself. */
export function resetLeg(leg: RelaySocket | undefined, table: PolicyTable, flow: number, errno: number, injected: boolean): void {
  if (injected || codeOf(errno) !== "ECONNRESET") storeFlowError(table, flow, errno, injected);
  markReset(table, flow);
  leg?.reset();
}
