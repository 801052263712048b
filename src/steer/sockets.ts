/**
 * What a steered socket carries, and the rules of its use: when a write binds it, what its end of file means, which error it dies of.
 */
import { executionAsyncId } from "node:async_hooks";
import type { Socket } from "node:net";
import { brandInjected } from "../internal/brand.ts";
import { ECONNRESET, errnoException } from "./node-internals.ts";
import type { StreamHandle, TcpClass } from "./node-internals.ts";
import { hide } from "./patches.ts";
import type { Caller, Here, Origin, Router, SteeredFlow } from "./router.ts";

type OnRead = NonNullable<StreamHandle["onread"]>;

const kOrigin: unique symbol = Symbol("faultcore.origin");
const kAsked: unique symbol = Symbol("faultcore.asked");
const kSteered: unique symbol = Symbol("faultcore.steered");
const kEarly: unique symbol = Symbol("faultcore.early");

/** What `connect` was asked for, as far as rules know it: names. */
export interface Asked {
  readonly hostname: string | undefined;
  /** What TLS will ask the peer for. */
  readonly serverName: string | undefined;
}

interface Marked {
  [kOrigin]?: Origin | undefined;
  [kAsked]?: Asked | undefined;
  [kSteered]?: Steered | undefined;
  [kEarly]?: Early | undefined;
  readonly _handle?: StreamHandle | null;
  readonly server?: unknown;
  readonly _server?: unknown;
}

/** What was done with a socket while it dialled. */
interface Early {
  readonly uses: ((steered: Steered) => void)[];
  /** Who made the latest of them, if that was a write. */
  writer: Caller | undefined;
}

/** A flow and the state that its socket's hooks share. Also a TLS socket that was put on top of a steered one has it. */
export interface Steered {
  flow: SteeredFlow;
  /** The socket that the program reads: the one on top, where TLS was put on a plain one. */
  socket: Socket;
  /** Depth of the flow's own read callbacks: writes made there belong to nobody new. */
  reading: number;
  /** Where, and in which async context, the outermost of them began: who writes from another one was put there by the client. */
  readIn?: Here | undefined;
  readId?: number;
  /** An adapter announces the callers of this socket: the context of a write says nothing. */
  announced: boolean;
  /** Who makes the next request of the HTTP/2 session, where an adapter has announced that. */
  requestBy?: Caller | undefined;
  /** The program has read nothing since its latest write. */
  waiting: boolean;
  /** The program has read something since its latest write: its next write begins a request. */
  answered: boolean;
  /** Plaintext that TLS gets before what the program writes next. */
  heldBack?: Uint8Array | undefined;
}

/** The state of a socket that is about to be handed over; its flow comes next. */
export function newSteered(socket: Socket): Steered {
  return { flow: undefined as never, socket, reading: 0, announced: false, waiting: false, answered: false };
}

export function markConnect(socket: Socket, origin: Origin | undefined, asked: Asked | undefined): void {
  const marked = socket as Socket & Marked;
  // Sockets that were never governed stay as they are: a property costs a hidden-class change.
  if (origin === undefined && marked[kOrigin] === undefined) return;
  hide(socket, kOrigin, origin);
  hide(socket, kAsked, asked);
  hide(socket, kSteered, undefined);
  hide(socket, kEarly, undefined);
}

/** A handle whose socket was destroyed has no owner any more. */
export function originOf(socket: object | null | undefined): Origin | undefined {
  return socket ? (socket as Marked)[kOrigin] : undefined;
}

export function askedOf(socket: object): Asked | undefined {
  return (socket as Marked)[kAsked];
}

export function steeredOf(socket: object): Steered | undefined {
  return (socket as Marked)[kSteered];
}

/** The socket's connect was handed over. What was done with it before, while a name was looked up, is made good. */
export function markSteered(socket: object, steered: Steered): void {
  hide(socket, kSteered, steered);
  for (const use of (socket as Marked)[kEarly]?.uses ?? []) use(steered);
}

/**
 * Uses a socket's flow: now, or as soon as there is one, for each address that is tried. Returns false for a socket that will have
 * none. `writer`: who writes, if that is all; who writes on adds nothing to what is kept.
 */
export function withFlow(socket: object, use: (steered: Steered) => void, writer?: Caller): boolean {
  const marked = socket as Marked & { readonly connecting?: boolean };
  const steered = marked[kSteered];
  if (steered !== undefined) use(steered);
  if (marked[kOrigin] !== undefined && marked.connecting === true) {
    // Assigned, not defined: an HTTP/2 session's proxy of its socket passes on only that.
    const early = (marked[kEarly] ??= { uses: [], writer: undefined });
    if (writer === undefined || early.writer !== writer) early.uses.push(use);
    early.writer = writer;
    return true;
  }
  return steered !== undefined;
}

/**
 * Uplink bytes written so far. Below TLS it is a lower bound: the record layer may still hold some. On a plain socket Node goes through
 * all writes that wait, so nothing may ask at every write.
 */
export function uplinkOffset(socket: Socket): number {
  const handle = (socket as unknown as Marked)._handle;
  if (handle?._parent !== undefined) return handle._parent.bytesWritten ?? 0;
  return socket.bytesWritten ?? 0;
}

/** Uplink bytes that the handle has taken: at most those that were written so far. */
function takenOffset(socket: Socket): number {
  const handle = (socket as unknown as Marked)._handle;
  return (handle?._parent ?? handle)?.bytesWritten ?? 0;
}

/** Whether a socket is one that could have been steered. Accepted sockets are inbound: nothing claims to govern them. */
export function isOutbound(socket: Socket, TCP: TcpClass): boolean {
  const { _handle: handle, _server, server } = socket as unknown as Marked;
  if (!handle || _server || server) return false;
  // Also standard output can be a socket, of another class.
  return (handle._parent ?? handle) instanceof TCP;
}

export function isTls(socket: Socket): boolean {
  return (socket as unknown as Marked)._handle?._parent !== undefined;
}

/** The program writes to a socket: called before the bytes are taken. `announced`: for whom, where the client has said so. */
export function noteWrite(socket: Socket, router: Router, isOutboundTcp: (socket: Socket) => boolean, announced: Caller | undefined): void {
  const steered = steeredOf(socket);
  if (announced === undefined && steered !== undefined && goesOn(steered, router)) return;
  const caller = announced ?? router.caller(socket);
  const taken = takenOffset(socket);
  let written: number | undefined;
  const offset = (): number => (written ??= uplinkOffset(socket));
  const { [kOrigin]: origin, [kEarly]: early } = socket as Marked;
  // What is kept for the next address begins at the offset of now.
  if (origin !== undefined && socket.connecting && early?.writer !== caller) offset();
  const use = (state: Steered): void => {
    if (!state.announced) state.flow.useBy(caller, offset, state.answered);
    state.waiting = true;
    state.answered = false;
    state.flow.arm(taken, isTls(socket));
  };
  const noted = withFlow(socket, use, caller);
  if (!noted && isOutboundTcp(socket)) router.unsteeredUse(socket, caller);
}

/**
 * Whether what is written now goes on with what the flow has read: it belongs to nobody new, unless the client went back to the context of
 * a caller. In the read callback itself, that may be the same one entered again; later on (a timer, a stream that is piped), the context tells.
 */
function goesOn(steered: Steered, router: Router): boolean {
  if (steered.reading === 0) return router.isAnswer(steered);
  return steered.readId === executionAsyncId() && steered.readIn === router.here();
}

/**
 * Watches a handle's reads. Without data the handle reports an end of file or an error: an end counts only when the relay said that the
 * peer really ended.
 */
export function watchReads(handle: StreamHandle, socket: Socket, ownerSymbol: symbol, steered: Steered, router: Router): void {
  const holder = holderOf(handle, "onread");
  if (holder === undefined) return;
  const ownBuffer = readsIntoOwnBuffer(socket);
  if (ownBuffer) watchEnd(socket, steered);
  const watch = (inner: OnRead): OnRead =>
    function onread(this: StreamHandle, data: ArrayBuffer | undefined): unknown {
      if (data === undefined && !ownBuffer && !steered.flow.finIsGenuine()) {
        const owner = this[ownerSymbol] as Socket | null | undefined;
        if (owner) endUnlessDead(owner, this._parent !== undefined && !steered.flow.wasReset(), steered);
        return undefined;
      }
      steered.waiting = false;
      steered.answered = true;
      const read = (): unknown => {
        if (steered.reading++ === 0) {
          steered.readIn = router.here();
          steered.readId = executionAsyncId();
        }
        try {
          return inner.call(this, data);
        } finally {
          if (--steered.reading === 0) steered.readIn = undefined;
        }
      };
      return router.runAnswer(steered, read);
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

/** The option `onread` of `net.connect`. */
function readsIntoOwnBuffer(socket: Socket): boolean {
  const symbol = Object.getOwnPropertySymbols(socket).find(({ description }) => description === "kBuffer");
  return symbol !== undefined && Boolean((socket as unknown as Record<symbol, unknown>)[symbol]);
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
