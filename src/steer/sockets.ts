/**
 * What a steered socket carries, and the rules of its use: when a write binds it. (What it reads and dies of: `reads.ts`.)
 */
import { executionAsyncId } from "node:async_hooks";
import type { Socket } from "node:net";
import { willDial } from "./handles.ts";
import type { StreamHandle } from "./node-internals.ts";
import { hide } from "./patches.ts";
import type { Caller, Here, Origin, Router, SteeredFlow } from "./router.ts";

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
}

/** What was done with a socket while it dialled. */
export interface Early {
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
  /** Who wrote last to a socket in front of the flow's own one: a mocking tool's, which answers or passes on what is written. */
  front: Caller | undefined;
  /** Plaintext that TLS gets before what the program writes next. */
  heldBack?: Uint8Array | undefined;
}

/** The state of a socket that is about to be handed over; its flow comes next. */
export function newSteered(socket: Socket): Steered {
  return { flow: undefined as never, socket, reading: 0, announced: false, waiting: false, answered: false, front: undefined };
}

export function markConnect(socket: Socket, origin: Origin | undefined, asked: Asked | undefined, early?: Early): void {
  const marked = socket as Socket & Marked;
  // Sockets that were never governed stay as they are: a property costs a hidden-class change.
  if (origin === undefined && marked[kOrigin] === undefined) return;
  hide(socket, kOrigin, origin);
  hide(socket, kAsked, asked);
  hide(socket, kSteered, undefined);
  hide(socket, kEarly, early);
}

/** Takes away what was done with a socket while it dialled. */
export function takeEarly(socket: object): Early | undefined {
  const marked = socket as Marked;
  const early = marked[kEarly];
  if (early !== undefined) marked[kEarly] = undefined;
  return early;
}

/** A handle whose socket was destroyed has no owner any more. */
export function originOf(socket: object | null | undefined): Origin | undefined {
  return socket ? (socket as Marked)[kOrigin] : undefined;
}

export function askedOf(socket: object): Asked | undefined {
  return (socket as Marked)[kAsked];
}

/** Also of a socket that was given the handle of another one: mocking tools do that where they pass a connection through. */
export function steeredOf(socket: object): Steered | undefined {
  const { [kSteered]: own, _handle: handle } = socket as Marked;
  return own ?? ((handle?._parent ?? handle) as Marked | null | undefined)?.[kSteered];
}

/** The connect of a socket, or of a handle, was handed over. What was done with the socket before, while a name was looked up, is made good. */
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
  const steered = steeredOf(socket);
  if (steered !== undefined) use(steered);
  if (marked.connecting === true && (marked[kOrigin] !== undefined || willDial(socket))) {
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

export function isTls(socket: Socket): boolean {
  return (socket as unknown as Marked)._handle?._parent !== undefined;
}

/** The program writes to a socket: called before the bytes are taken. `announced`: for whom, where the client has said so. */
export function noteWrite(socket: Socket, router: Router, isOutboundTcp: (socket: Socket) => boolean, announced: Caller | undefined): void {
  const steered = steeredOf(socket);
  if (announced === undefined && steered !== undefined && goesOn(steered, router)) return;
  const caller = announced ?? router.caller(socket);
  if (steered !== undefined && isFront(socket)) {
    steered.front = caller;
    return;
  }
  const taken = takenOffset(socket);
  let known: number | undefined;
  const offset = (): number => (known ??= uplinkOffset(socket));
  const { [kOrigin]: origin, [kEarly]: early } = socket as Marked;
  // What is kept for the next address begins at the offset of now.
  if (origin !== undefined && socket.connecting && early?.writer !== caller) offset();
  const use = (state: Steered): void => written(socket, state, caller, offset, taken);
  const noted = withFlow(socket, use, caller);
  if (!noted && isOutboundTcp(socket)) router.unsteeredUse(socket, caller);
}

/** Bytes of a caller's go out on a flow, from this offset on. `taken`: those that the handle had taken before. */
export function written(socket: Socket, steered: Steered, caller: Caller, offset: () => number, taken: number): void {
  if (!steered.announced) steered.flow.useBy(caller, offset, steered.answered);
  steered.waiting = true;
  steered.answered = false;
  steered.flow.arm(taken, isTls(socket));
}

/**
 * Whether what is written now goes on with what the flow has read: it belongs to nobody new, unless the client went back to the context of
 * a caller. In the read callback itself, that may be the same one entered again; later on (a timer, a stream that is piped), the context tells.
 */
function goesOn(steered: Steered, router: Router): boolean {
  if (steered.reading === 0) return router.isAnswer(steered);
  return steered.readId === executionAsyncId() && steered.readIn === router.here();
}

/** Whether this is not the socket that the flow was opened for, but one in front of it that has its handle. */
export function isFront(socket: object): boolean {
  return (socket as Marked)[kSteered] === undefined;
}
