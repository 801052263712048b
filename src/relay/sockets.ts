/** Small facts about sockets that both legs of a flow need. */
import type { Socket } from "node:net";
import { setTimeout } from "node:timers";
import { getSystemErrorMap } from "node:util";

const FINISH_WAIT_MS = 1000;
const NOTHING = new Uint8Array();

const errnos = new Map<string, number>();
for (const [errno, [code]] of getSystemErrorMap()) errnos.set(code, errno);

/** The negative errno of a code on this platform; -1 (EPERM) where the platform does not know it. */
export function errnoOf(code: string): number {
  return errnos.get(code) ?? -1;
}

/** The code of a negative errno. */
export function codeOf(errno: number): string {
  return getSystemErrorMap().get(errno)?.[0] ?? "UNKNOWN";
}

/** Calls back when the kernel has taken everything that was written, or never will. */
export function whenWritten(socket: Socket | undefined, callback: () => void): void {
  if (socket === undefined || socket.destroyed || socket.writableLength === 0 || !socket.writable) callback();
  else socket.write(NOTHING, () => callback());
}

/**
 * Closes a socket as a program does: what was written still leaves, a FIN behind it. The FIN is sent before the socket is closed: a close
 * alone would be a RST if the peer had sent something that is not read yet, which a program that closed before it came has not seen.
 */
export function closeSocket(socket: Socket | undefined): void {
  socket?.destroySoon();
}

/**
 * Sends RST. Node refuses that with EINVAL, and leaks the descriptor, while a FIN is on its way to the kernel: then it waits for it.
 */
export function resetSocket(socket: Socket | undefined): void {
  if (socket === undefined || socket.destroyed) return;
  if (socket.writableEnded && !socket.writableFinished) {
    const timer = setTimeout(() => socket.destroy(), FINISH_WAIT_MS);
    timer.unref();
    socket.once("finish", () => resetSocket(socket));
    socket.once("close", () => clearTimeout(timer));
    return;
  }
  if (socket.connecting) socket.destroy();
  else socket.resetAndDestroy();
}
