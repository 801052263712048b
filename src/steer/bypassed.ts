/**
 * Sockets whose `connect` did not come by ours, although their handle does: a tool that patched before us keeps Node's own and calls that
 * one, and a tool that takes its patch back can take ours along.
 */
import type { Socket } from "node:net";
import type { Origin, Router } from "./router.ts";
import { isFront, markConnect, takeEarly, uplinkOffset, written } from "./sockets.ts";
import type { Steered } from "./sockets.ts";

/** What such a socket belongs to: its handle is told to connect in the context in which `connect` was called. */
export function lateOrigin(socket: Socket, router: Router): Origin | undefined {
  const origin = router.origin();
  if (origin === undefined) return undefined;
  // What Node looked up; null for an address. The server name will be read from the hello.
  const { _host: host } = socket as unknown as { readonly _host?: string | null };
  markConnect(socket, origin, { hostname: host ?? undefined, serverName: undefined }, takeEarly(socket));
  return origin;
}

/** The connect is left to Node: what was done with the socket before cannot be faulted. */
export function leaveAlone(socket: Socket, router: Router): void {
  const early = takeEarly(socket);
  if (early !== undefined) router.unsteeredUse(socket, early.writer);
}

/** What was written to a socket in front of the flow's own one goes out, not by that one, but by the handle that both have. */
export function noteFrontWrite(socket: Socket, steered: Steered): void {
  const { front } = steered;
  if (front === undefined || !isFront(socket)) return;
  const offset = uplinkOffset(socket);
  written(socket, steered, front, () => offset, offset);
}
