/**
 * undici and `fetch`: who makes a request. A queued request is written in the context of whoever opened the connection, so the caller
 * is noted when the request is made, and its socket is bound when undici says that the request goes out on it.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import type { Patches } from "./patches.ts";
import type { Caller, Router } from "./router.ts";
import { steeredOf, uplinkOffset } from "./sockets.ts";

const CREATE = "undici:request:create";
const SEND = "undici:client:sendHeaders";

export function watchUndici(patches: Patches, router: Router): void {
  const callers = new WeakMap<object, Caller>();

  const created = (message: unknown): void => {
    if (router.isBusy()) callers.set((message as { request: object }).request, router.caller());
  };
  const sent = (message: unknown): void => {
    const { request, socket } = message as { request: object; socket: Socket | undefined };
    const steered = socket === undefined ? undefined : steeredOf(socket);
    if (steered === undefined || socket === undefined) {
      if (socket !== undefined && router.isBusy()) router.unsteeredUse(socket, callers.get(request));
      return;
    }
    // The first request belongs to the connect that was made for it.
    const first = !steered.announced && !steered.answered;
    steered.announced = true;
    const caller = callers.get(request);
    if (caller !== undefined) steered.flow.useBy(caller, () => uplinkOffset(socket), !first);
  };

  subscribe(CREATE, created);
  subscribe(SEND, sent);
  patches.add(() => {
    unsubscribe(CREATE, created);
    unsubscribe(SEND, sent);
  });
}
