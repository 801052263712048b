/**
 * undici and `fetch`: who makes a request. A queued request is written in the context of whoever opened the connection, so the caller
 * is noted when the request is made, and its socket is bound when undici says that the request goes out on it.
 */
import { AsyncResource } from "node:async_hooks";
import type { Socket } from "node:net";
import { symbolNamed } from "../internal/symbols.ts";
import type { Patches } from "./patches.ts";
import type { Caller, Router } from "./router.ts";
import { steeredOf, uplinkOffset } from "./sockets.ts";

const CREATE = "undici:request:create";
const SEND = "undici:client:sendHeaders";
/** Where undici keeps its default dispatcher: all its copies, and Node's, know these places. */
const DEFAULTS = [Symbol.for("undici.globalDispatcher.1"), Symbol.for("undici.globalDispatcher.2")];

interface Dispatching {
  dispatch(options: unknown, handler: unknown): boolean;
}

export function watchUndici(patches: Patches, router: Router): void {
  /** By requests, and by the handlers that requests are made for. */
  const callers = new WeakMap<object, Caller>();
  const patched = new WeakSet<object>();
  /**
   * Whose `dispatch` runs now, and where. Dispatchers hand a request down in wrappers of its handler, also where a redirect or a retry
   * makes it again, in the context of whoever opened the connection.
   */
  let dispatching: { readonly caller: Caller; readonly here: Caller } | undefined;

  /** A pool whose connections are all taken makes the request later, in the context of whoever had the one that is free then. */
  const watchDispatch = (dispatcher: unknown): void => {
    for (const prototype of dispatchingPrototypes(dispatcher)) {
      if (patched.has(prototype)) continue;
      patched.add(prototype);
      patches.replace(prototype, "dispatch", (original) => {
        return function dispatch(this: Dispatching, options: unknown, handler: unknown): boolean {
          if (typeof handler !== "object" || handler === null || !router.isBusy()) return original.call(this, options, handler);
          const around = dispatching;
          const here = router.caller();
          const caller = callers.get(handler) ?? (around?.here === here ? around.caller : here);
          callers.set(handler, caller);
          dispatching = { caller, here };
          try {
            return original.call(this, options, handler);
          } finally {
            dispatching = around;
          }
        };
      });
    }
  };
  const watchDefaults = (): void => {
    for (const name of DEFAULTS) watchDispatch((globalThis as unknown as Record<symbol, unknown>)[name]);
  };

  const created = (message: unknown): void => {
    watchDefaults();
    if (!router.isBusy()) return;
    const { request } = message as { request: object };
    const handler = valueOf(request, "handler") as object | undefined;
    const noted = handler && callers.get(handler);
    // Of a copy whose dispatchers we have not met: what `request()`, `stream()` and their like are called by is remembered there.
    const caller = noted ?? (handler instanceof AsyncResource ? handler.runInAsyncScope(() => router.caller()) : router.caller());
    callers.set(request, caller);
  };
  const sent = (message: unknown): void => {
    const { request, socket } = message as { request: object; socket: Socket | undefined };
    if (socket !== undefined) watchDispatch(valueOf(socket, "client"));
    const steered = socket === undefined ? undefined : steeredOf(socket);
    if (steered === undefined || socket === undefined) {
      if (socket !== undefined && router.isBusy()) router.unsteeredUse(socket, callers.get(request));
      return;
    }
    const caller = callers.get(request);
    if (valueOf(socket, "http2Session") !== undefined) {
      steered.requestBy = caller;
      return;
    }
    // The first request belongs to the connect that was made for it.
    const first = !steered.announced && !steered.answered;
    steered.announced = true;
    if (caller !== undefined) steered.flow.useBy(caller, () => uplinkOffset(socket), !first);
  };

  watchDefaults();
  patches.listen(CREATE, created);
  patches.listen(SEND, sent);
}

/** What undici keeps under a symbol of this name. */
function valueOf(object: object, name: string): unknown {
  const symbol = symbolNamed(object, name);
  return symbol && (object as Record<symbol, unknown>)[symbol];
}

/** Where a dispatcher has `dispatch` from: one class for the pools, agents and clients of a copy of undici. */
function* dispatchingPrototypes(dispatcher: unknown): Iterable<Dispatching> {
  if (typeof dispatcher !== "object" || dispatcher === null) return;
  for (let at: object | null = Object.getPrototypeOf(dispatcher); at !== null; at = Object.getPrototypeOf(at) as object | null) {
    if (Object.hasOwn(at, "dispatch")) yield at as Dispatching;
  }
}
