/** What a steered socket reads: whose answer it is, what an end of file means, and which error the socket dies of. */
import { executionAsyncId } from "node:async_hooks";
import type { Socket } from "node:net";
import { brandInjected } from "../internal/brand.ts";
import { symbolNamed } from "../internal/symbols.ts";
import { ECONNRESET, errnoException } from "./node-internals.ts";
import type { StreamHandle } from "./node-internals.ts";
import { hide } from "./patches.ts";
import type { Router } from "./router.ts";
import type { Steered } from "./sockets.ts";

type OnRead = NonNullable<StreamHandle["onread"]>;

/**
 * Watches a handle's reads. Without data the handle reports an end of file or an error: an end counts only when the relay said that the
 * peer really ended.
 */
export function watchReads(handle: StreamHandle, socket: Socket, ownerSymbol: symbol, steered: Steered, router: Router): void {
  const holder = holderOf(handle, "onread");
  if (holder === undefined) return;
  const ownBuffer = readsIntoOwnBuffer(socket);
  if (ownBuffer) watchEnd(socket, steered);
  const watch = (inner: OnRead): OnRead => {
    /** Made once, not for each read. */
    const read = (reader: StreamHandle, data: ArrayBuffer | undefined): unknown => {
      if (steered.reading++ === 0) {
        steered.readIn = router.here();
        steered.readId = executionAsyncId();
      }
      try {
        return inner.call(reader, data);
      } finally {
        if (--steered.reading === 0) steered.readIn = undefined;
      }
    };
    return function onread(this: StreamHandle, data: ArrayBuffer | undefined): unknown {
      if (data === undefined && !ownBuffer && !steered.flow.finIsGenuine()) {
        const owner = this[ownerSymbol] as Socket | null | undefined;
        if (owner) endUnlessDead(owner, this._parent !== undefined && !steered.flow.wasReset(), steered);
        return undefined;
      }
      steered.waiting = false;
      steered.answered = true;
      return router.runAnswer(steered, read, this, data);
    };
  };
  // The one that Node gives every socket. Others (the guard of an idle keep-alive socket) only ask whether anything happens at all.
  let standard: OnRead | undefined;
  let given = handle.onread;
  // An accessor of its own, because whoever takes the handle over sets `onread` again, and compares it with what it set.
  Object.defineProperty(handle, "onread", {
    configurable: true,
    get: () => given,
    set(this: StreamHandle, next: OnRead | undefined) {
      given = next;
      standard ??= next;
      Reflect.set(holder, "onread", next !== undefined && next === standard ? watch(next) : next, this);
    },
  });
  if (given !== undefined) handle.onread = given;
}

/**
 * An end that the relay has not announced. The peer of a TLS connection ends it inside of TLS first, before its FIN: as long as the
 * relay lives, that is what has come.
 */
function endUnlessDead(owner: Socket, mayBeTlsEnd: boolean, steered: Steered): void {
  const die = (): void => {
    owner.destroy(errnoException(ECONNRESET, "read"));
  };
  if (!mayBeTlsEnd) {
    die();
    return;
  }
  steered.flow.whenAlive((alive) => {
    if (owner.destroyed || owner.readableEnded) return;
    if (!alive && !steered.flow.finIsGenuine()) {
      die();
      return;
    }
    // What Node does when a handle reports the end.
    owner.push(null);
    owner.read(0);
  });
}

/** Who reads into a buffer of its own never gets data from the handle: there the end shows when it is passed on. */
function watchEnd(socket: Socket, steered: Steered): void {
  const { push } = socket;
  hide(socket, "push", function pushSteered(this: Socket, chunk: unknown, encoding?: BufferEncoding): boolean {
    if (chunk !== null || steered.flow.finIsGenuine()) return push.call(this, chunk, encoding);
    this.destroy(errnoException(ECONNRESET, "read"));
    return false;
  });
}

let kBuffer: symbol | undefined;

/** The option `onread` of `net.connect`. */
function readsIntoOwnBuffer(socket: Socket): boolean {
  kBuffer ??= symbolNamed(socket, "kBuffer");
  return kBuffer !== undefined && Boolean((socket as unknown as Record<symbol, unknown>)[kBuffer]);
}

/** Where an inherited property is. That of `onread` on Node 20 looks like plain data; its setter runs for whoever is the receiver. */
function holderOf(object: object, name: string): object | undefined {
  for (let at: object | null = object; at !== null; at = Object.getPrototypeOf(at) as object | null) {
    if (Object.hasOwn(at, name)) return at === object ? undefined : at;
  }
  return undefined;
}

/** Only ECONNRESET crosses the loopback leg as itself: any other error of the flow is put in its place when the socket dies of it. */
export function translateErrors(socket: Socket, steered: Steered): void {
  const destroy = socket.destroy;
  hide(socket, "destroy", function destroySteered(this: Socket, error?: NodeJS.ErrnoException, ...rest: []): Socket {
    return destroy.call(this, translate(error, steered), ...rest);
  });
}

function translate(error: NodeJS.ErrnoException | undefined, steered: Steered): NodeJS.ErrnoException | undefined {
  if (error?.syscall !== "read" && error?.syscall !== "write") return error;
  if (error.code !== "ECONNRESET" && error.code !== "EPIPE") return error;
  const { errno, injected } = steered.flow.storedError();
  if (errno === 0) return error;
  const real = errnoException(errno, "read");
  return injected ? brandInjected(real) : real;
}
