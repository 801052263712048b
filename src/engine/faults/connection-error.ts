/**
 * `connection_error`: rolled once per connect attempt, or at the first use of a flow that was already open. A connect that is hit fails
 * one round trip after it began, as a peer's RST or a router's ICMP would take; an open flow fails at once.
 */
import { decisionAt } from "../decisions.ts";
import type { Draws, Position } from "../draw.ts";
import type { ConnectionErrorFault, Decision, ErrorKind } from "../types.ts";

export type ConnectionErrorCode = "ECONNREFUSED" | "ECONNRESET" | "EHOSTUNREACH";

const CONNECT_CODES: Readonly<Record<ErrorKind, ConnectionErrorCode>> = {
  refused: "ECONNREFUSED",
  reset: "ECONNRESET",
  unreachable: "EHOSTUNREACH",
};

export function connectErrorCode(kind: ErrorKind): ConnectionErrorCode {
  return CONNECT_CODES[kind];
}

/** An open flow cannot be refused any more: what its program sees is a reset. */
export function openFlowErrorCode(kind: ErrorKind): "ECONNRESET" | "EHOSTUNREACH" {
  return kind === "unreachable" ? "EHOSTUNREACH" : "ECONNRESET";
}

export function rollConnectionError(draws: Draws, at: Position, fault: ConnectionErrorFault | undefined, severity: number): boolean {
  return fault !== undefined && draws.hits(at, "connection_error", 0, fault.ppm * severity);
}

export function connectionErrorDecision(at: Position, atNs: number, code: ConnectionErrorCode, delayNs: number): Decision {
  return decisionAt(at, atNs, 0, "connection_error", code, delayNs, code);
}
