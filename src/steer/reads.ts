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

const kReads: unique symbol = Symbol("faultcore.reads");

type Watched = StreamHandle & { readonly [kReads]: Reads };

/** The reads of one handle. No closure and no accessor of its own for each: that would cost every connect microseconds. */
class Reads {
  readonly #steered: Steered;
  readonly #router: Router;
  readonly #ownerSymbol: symbol;
  readonly #holder: object;
  readonly #ownBuffer: boolean;
  /** What was set last, as whoever set it knows it. */
  given: OnRead | undefined;
  /** The one that Node gives every socket. Others (the guard of an idle keep-alive socket) only ask whether anything happens at all. */
  #standard: OnRead | undefined;

  constructor(steered: Steered, router: Router, ownerSymbol: symbol, holder: object, ownBuffer: boolean) {
    this.#steered = steered;
    this.#router = router;
    this.#ownerSymbol = ownerSymbol;
    this.#holder = holder;
    this.#ownBuffer = ownBuffer;
  }

  set(handle: StreamHandle, next: OnRead | undefined): void {
    this.given = next;
    this.#standard ??= next;
    Reflect.set(this.#holder, "onread", next !== undefined && next === this.#standard ? onread : next, handle);
  }

  take(handle: StreamHandle, data: ArrayBuffer | undefined): unknown {
    const steered = this.#steered;
    if (data === undefined && !this.#ownBuffer && !steered.flow.finIsGenuine()) {
      const owner = handle[this.#ownerSymbol] as Socket | null | undefined;
      if (owner) endUnlessDead(owner, handle._parent !== undefined && !steered.flow.wasReset(), steered);
      return undefined;
    }
    steered.waiting = false;
    steered.answered = true;
    return this.#router.runAnswer(steered, read, handle as Watched, data);
  }

  read(handle: StreamHandle, data: ArrayBuffer | undefined): unknown {
    const steered = this.#steered;
    if (steered.reading++ === 0) {
      steered.readIn = this.#router.here();
      steered.readId = executionAsyncId();
    }
    try {
      return this.#standard?.call(handle, data);
    } finally {
      if (--steered.reading === 0) steered.readIn = undefined;
    }
  }
}

function onread(this: Watched, data: ArrayBuffer | undefined): unknown {
  return this[kReads].take(this, data);
}

const read = (handle: Watched, data: ArrayBuffer | undefined): unknown => handle[kReads].read(handle, data);

/** An accessor, because whoever takes the handle over sets `onread` again, and compares it with what it set. */
const ACCESSOR: PropertyDescriptor & ThisType<Watched> = {
  configurable: true,
  get() {
    return this[kReads].given;
  },
  set(next: OnRead | undefined) {
    this[kReads].set(this, next);
  },
};

/**
 * Watches a handle's reads. Without data the handle reports an end of file or an error: an end counts only when the relay said that the
 * peer really ended.
 */
export function watchReads(handle: StreamHandle, socket: Socket, ownerSymbol: symbol, steered: Steered, router: Router): void {
  const holder = holderOf(handle, "onread");
  if (holder === undefined) return;
  const ownBuffer = readsIntoOwnBuffer(socket);
  if (ownBuffer) watchEnd(socket, steered);
  const before = handle.onread;
  hide(handle, kReads, new Reads(steered, router, ownerSymbol, holder, ownBuffer));
  Object.defineProperty(handle, "onread", ACCESSOR);
  if (before !== undefined) handle.onread = before;
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
