/** What a scope that begins does with, and asks of, sockets that are open: see `existingConnections`. */
import type { Socket } from "node:net";
import { nextTick } from "../internal/real-timers.ts";

/**
 * Destroys a socket whose 'error' comes at once, not a tick later: its pool must know before it is asked for a connection again. Where nobody
 * listens, everything is as Node does it.
 */
export function destroyNow(socket: Socket, error: Error): void {
  if (socket.destroyed) return;
  socket.destroy(error);
  const { _writableState: writable, _readableState: readable } = socket as unknown as Record<string, { errorEmitted: boolean } | undefined>;
  if (socket.listenerCount("error") === 0 || writable === undefined || readable === undefined) return;
  writable.errorEmitted = true;
  readable.errorEmitted = true;
  try {
    socket.emit("error", error);
  } catch (thrown) {
    // What a listener throws is uncaught, as it would be a tick later.
    nextTick(() => {
      throw thrown;
    });
  }
}

/** The server name that TLS asked for on this socket, if it has. */
export function askedServerName(socket: Socket): string | undefined {
  const { _handle: handle } = socket as unknown as { _handle?: { getServername?(): string | null | false } | null };
  return handle?.getServername?.() || undefined;
}
