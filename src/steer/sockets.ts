/**
 * What a steered socket carries, and the rules of its use: when a write binds it. (What it reads and dies of: `reads.ts`.)
 */
import { executionAsyncId } from "node:async_hooks";
import type { Socket } from "node:net";
import { willDial } from "./handles.ts";
import type { StreamHandle } from "./node-internals.ts";
import { hide } from "./patches.ts";
import type { Caller, Here, Origin, Router, SteeredFlow } from "./router.ts";

const kMarks: unique symbol = Symbol("faultcore.marks");

/** What `connect` was asked for, as far as rules know it: names. */
export interface Asked {
  readonly hostname: string | undefined;
  /** What TLS will ask the peer for. */
  readonly serverName: string | undefined;
}

/** What is known of a socket, or of a handle. One property for all of it, because defining one costs a connect a microsecond. */
interface Marks {
  origin: Origin | undefined;
  asked: Asked | undefined;
  steered: Steered | undefined;
  early: Early | undefined;
}

interface Marked {
  [kMarks]?: Marks;
  readonly _handle?: StreamHandle | null;
}

const noMarks = (): Marks => ({ origin: undefined, asked: undefined, steered: undefined, early: undefined });

/** The marks of an object of Node's own: they do not show up when its keys are listed. */
function marksOf(object: object): Marks {
  const known = (object as Marked)[kMarks];
  if (known !== undefined) return known;
  const marks = noMarks();
  hide(object, kMarks, marks);
  return marks;
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
  // Sockets that were never governed stay as they are: a property costs a hidden-class change.
  if (origin === undefined && originOf(socket) === undefined) return;
  const marks = marksOf(socket);
  marks.origin = origin;
  marks.asked = asked;
  marks.steered = undefined;
  marks.early = early;
}

/** Takes away what was done with a socket while it dialled. */
export function takeEarly(socket: object): Early | undefined {
  const marks = (socket as Marked)[kMarks];
  const early = marks?.early;
  if (marks !== undefined) marks.early = undefined;
  return early;
}

/** A handle whose socket was destroyed has no owner any more. */
export function originOf(socket: object | null | undefined): Origin | undefined {
  return socket ? (socket as Marked)[kMarks]?.origin : undefined;
}

export function askedOf(socket: object): Asked | undefined {
  return (socket as Marked)[kMarks]?.asked;
}

/** Also of a socket that was given the handle of another one: mocking tools do that where they pass a connection through. */
export function steeredOf(socket: object): Steered | undefined {
  const { [kMarks]: marks, _handle: handle } = socket as Marked;
  return marks?.steered ?? ((handle?._parent ?? handle) as Marked | null | undefined)?.[kMarks]?.steered;
}

/** The connect of a socket, or of a handle, was handed over. What was done with the socket before, while a name was looked up, is made good. */
export function markSteered(socket: object, steered: Steered): void {
  const marks = marksOf(socket);
  marks.steered = steered;
  for (const use of marks.early?.uses ?? []) use(steered);
}

/**
 * Uses a socket's flow: now, or as soon as there is one, for each address that is tried. Returns false for a socket that will have
 * none. `writer`: who writes, if that is all; who writes on adds nothing to what is kept.
 */
export function withFlow(socket: object, use: (steered: Steered) => void, writer?: Caller): boolean {
  const marked = socket as Marked & { readonly connecting?: boolean };
  const steered = steeredOf(socket);
  if (steered !== undefined) use(steered);
  if (marked.connecting === true && (originOf(socket) !== undefined || willDial(socket))) {
    // Assigned, not defined: an HTTP/2 session's proxy of its socket passes on only that.
    const marks = (marked[kMarks] ??= noMarks());
    const early = (marks.early ??= { uses: [], writer: undefined });
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
  const marks = (socket as Marked)[kMarks];
  // What is kept for the next address begins at the offset of now.
  if (marks?.origin !== undefined && socket.connecting && marks.early?.writer !== caller) offset();
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
  return (socket as Marked)[kMarks]?.steered === undefined;
}
