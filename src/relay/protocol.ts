/**
 * Every message between a program's thread and its relay. The transport is a MessagePort today; nothing here depends on that, except
 * that messages arrive in order and that the relay can drain those that were sent before something it saw in the table.
 */
import type { MessagePort } from "node:worker_threads";
import type { FlowEvent } from "../engine/types.ts";
import type { Binding } from "../table/flows.ts";
import type { CompiledPolicy } from "../policy/types.ts";

/** A policy's body. Sent once, before anything that refers to its number. */
export interface PolicyMessage {
  readonly type: "policy";
  readonly policyId: number;
  readonly policy: CompiledPolicy;
}

/** No scope uses this policy any more. */
export interface ForgetMessage {
  readonly type: "forget";
  readonly policyId: number;
}

/** Dial a peer for the leg that connects from `legPort`. */
export interface DialMessage {
  readonly type: "dial";
  /** Row of the flow in the policy table. */
  readonly flow: number;
  readonly legPort: number;
  readonly address: string;
  readonly port: number;
  readonly family: 4 | 6;
  /** What the program asked to connect to, where it was a name; else what the address was looked up by, if anything. */
  readonly hostname: string | undefined;
  /** What TLS will ask the peer for, where the program's side knows. */
  readonly serverName: string | undefined;
  /** Where `bind` put the program's socket. */
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  /** When the program called connect, on the common clock. */
  readonly startNs: number;
  /** The n-th address that this connect() tries, from 0. */
  readonly attempt: number;
  /** The first binding was published before: it governs the connect. Else it comes with the bytes of a later use. */
  readonly bound: boolean;
}

/** A binding that did not fit into the flow's ring. */
export interface BindMessage {
  readonly type: "bind";
  readonly flow: number;
  readonly binding: Binding;
}

/** A socket option that the program set. */
export interface OptionMessage {
  readonly type: "option";
  readonly flow: number;
  readonly keepAlive: { readonly enable: boolean; readonly delaySeconds: number };
}

/** How the program closed its socket: with a FIN, with a reset, or only in this process because another one has it now. */
export type CloseKind = "close" | "reset" | "sent away";

/** The program closed its socket. */
export interface ClosedMessage {
  readonly type: "closed";
  readonly flow: number;
  readonly reset: boolean;
}

/** A scope ended. `abort`: what it holds or delays goes on at once; that may also come later than the end. */
export interface ReleaseMessage {
  readonly type: "release";
  readonly scope: number;
  readonly abort: boolean;
}

/** Say so when everything that the program wrote has left: `written` has the byte counts of the sockets that are still open. */
export interface FlushMessage {
  readonly type: "flush";
  readonly token: number;
  readonly written: readonly (readonly [flow: number, bytes: number])[];
}

/** A request of an HTTP/2 session began to wait for its first header, or got it. */
export interface ReplyMessage {
  readonly type: "reply";
  readonly flow: number;
  readonly request: number;
  readonly waiting: boolean;
}

/** The answer to `ask`: whether the program has read nothing since its latest write. */
export interface WaitingMessage {
  readonly type: "waiting";
  readonly flow: number;
  readonly waiting: boolean;
}

/** Asks for a `pong`: a sign of life. */
export interface PingMessage {
  readonly type: "ping";
}

export type ToRelay =
  | PingMessage
  | WaitingMessage
  | PolicyMessage
  | ForgetMessage
  | DialMessage
  | BindMessage
  | OptionMessage
  | ClosedMessage
  | ReleaseMessage
  | FlushMessage
  | ReplyMessage;

/** The peer accepted. */
export interface ConnectedMessage {
  readonly type: "connected";
  readonly flow: number;
  readonly local: Endpoint;
  readonly remote: Endpoint;
}

export interface Endpoint {
  readonly address: string;
  readonly port: number;
  readonly family: string;
}

/** The connect attempt failed. */
export interface FailedMessage {
  readonly type: "failed";
  readonly flow: number;
  readonly errno: number;
  /** The kernel refused at once, before anything was sent; Node words such errors differently. */
  readonly sync: boolean;
  /** `address:port` of the unconnected socket, which Node adds to the message of such an error. */
  readonly local: string | undefined;
  readonly injected: boolean;
}

/** The leg never arrived: an error of ours. */
export interface LostMessage {
  readonly type: "lost";
  readonly flow: number;
  readonly reason: string;
}

/** Both sides of the flow are over and nothing is held: the row may be freed. */
export interface DoneMessage {
  readonly type: "done";
  readonly flow: number;
}

/** What a closed flow still holds has no end: it need not keep the process alive. */
export interface StuckMessage {
  readonly type: "stuck";
  readonly flow: number;
}

/** Decisions, in the order in which they were made. */
export interface EventsMessage {
  readonly type: "events";
  readonly events: readonly FlowEvent[];
}

/** Decisions are counted in the table and no longer sent: asks, now and then, whether somebody listens to them by now. */
export interface UnheardMessage {
  readonly type: "unheard";
}

/** A flow came under a scope: whether its rules touch it, and which one decided (-1: the policy has none, or none matched). */
export interface BoundMessage {
  readonly type: "bound";
  readonly scope: number;
  readonly flowHash: bigint;
  readonly governs: boolean;
  readonly rule: number;
}

/** No packet of this scope is held any more: its row may be freed. */
export interface ReleasedMessage {
  readonly type: "released";
  readonly scope: number;
}

export interface FlushedMessage {
  readonly type: "flushed";
  readonly token: number;
}

/** A leg was accepted while the program's side was waiting to start more of them. */
export interface AcceptedMessage {
  readonly type: "accepted";
}

/** The receive timeout of a TLS flow is over, and the bytes that came back may have been no answer: has the program read any? */
export interface AskMessage {
  readonly type: "ask";
  readonly flow: number;
}

export interface PongMessage {
  readonly type: "pong";
}

export type FromRelay =
  | PongMessage
  | AskMessage
  | ConnectedMessage
  | FailedMessage
  | LostMessage
  | DoneMessage
  | StuckMessage
  | EventsMessage
  | UnheardMessage
  | BoundMessage
  | ReleasedMessage
  | FlushedMessage
  | AcceptedMessage;

/** What a relay is started with. */
export interface RelayInit {
  readonly table: SharedArrayBuffer;
  /** See `CONTROL`. */
  readonly control: SharedArrayBuffer;
  readonly port: MessagePort;
  /** Most bytes that are under way without an acknowledgement, per flow and direction. */
  readonly windowBytes: number;
  readonly precision: "normal" | "fine";
}

/** Words that a relay and its program share besides the table. */
export const CONTROL = {
  /** The relay's port; 0 until it listens, -1 when it could not. */
  port: 0,
  /** Legs that the relay has accepted. */
  accepted: 1,
  /** 1 while the program's side wants an `accepted` message. */
  wantsAccepted: 2,
  /** Token of the latest flush that is over. */
  flushed: 3,
  /** 1 while somebody in the program listens to every event. */
  heard: 4,
  words: 5,
} as const;

/** Legs that may be on their way to the relay at once: more than the accept queue of a loaded system takes would get stuck. */
export const MAX_UNACCEPTED_LEGS = 64;
