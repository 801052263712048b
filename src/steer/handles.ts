/** What handles and their requests tell, where other tools have had their hands on sockets. */
import type { Socket } from "node:net";
import type { SocketName } from "../internal/tcp-handle.ts";
import { nativeOf } from "./dressed-handle.ts";
import type { ConnectRequest, StreamHandle, TcpClass, TcpHandle } from "./node-internals.ts";

const kLeg: unique symbol = Symbol("faultcore.leg");

interface WithHandle {
  readonly _handle?: StreamHandle | null;
  readonly server?: unknown;
  readonly _server?: unknown;
}

/** The handle of TCP, also below TLS, and what it inherits: mocks put methods of their own on handles. */
function handleOf(socket: object): { handle: TcpHandle; native: Partial<TcpHandle> } | undefined {
  const { _handle: own } = socket as WithHandle;
  const handle = own?._parent ?? own;
  return handle ? { handle: handle as TcpHandle, native: nativeOf(handle as TcpHandle) } : undefined;
}

/** Whether the handle of a socket that connects has yet to be told so: while a name is looked up. Ours will see that. */
export function willDial(socket: object): boolean {
  const { handle, native } = handleOf(socket) ?? {};
  // Of the streams that connect, only TCP has `connect6`.
  if (handle === undefined || native?.connect6 === undefined || Object.hasOwn(handle, "connect")) return false;
  const name: SocketName = {};
  return native.getsockname?.call(handle, name) !== 0 || (name.port ?? 0) === 0;
}

/** Whether a socket only pretends: its handle was kept from connecting, by a tool that answers in the peer's place. */
export function isMocked(socket: object): boolean {
  const { handle, native } = handleOf(socket) ?? {};
  return handle !== undefined && Object.hasOwn(handle, "connect") && native?.getpeername?.call(handle, {}) !== 0;
}

/** This request connects to the relay. */
export function markLeg(request: ConnectRequest): void {
  // Assigned, not defined: nobody lists the keys of a request, and defining costs more than the rest of it.
  (request as { [kLeg]?: boolean })[kLeg] = true;
}

/** A connect to the relay is never diverted, however many patches lie over each other. */
export function isLeg(request: ConnectRequest): boolean {
  return kLeg in request;
}

/** Whether a socket is one that could have been steered. Accepted sockets are inbound: nothing claims to govern them. */
export function isOutbound(socket: Socket, TCP: TcpClass): boolean {
  const { _handle: handle, _server, server } = socket as unknown as WithHandle;
  if (!handle || _server || server) return false;
  // Also standard output can be a socket, of another class.
  return (handle._parent ?? handle) instanceof TCP;
}
