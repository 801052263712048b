/**
 * What the adapters know of the rest: where a connection belongs, and how to hand it over. The composition root provides it.
 */

/** What a `connect()` belongs to. Opaque here; one object per call, shared by the addresses that it tries. */
export interface Origin {
  /** The n-th address that this connect() tries. */
  attempts: number;
}

/** A use of an open flow, as an adapter captured it where it was really made. */
export type Caller = object;

/** Where in the scopes of the program some code runs. The same object wherever that is the same; opaque. */
export type Here = object;

export interface DialRequest {
  readonly origin: Origin;
  readonly address: string;
  readonly port: number;
  readonly family: 4 | 6;
  /** The name that the program asked for, if it did. */
  readonly hostname: string | undefined;
  /** The server name that TLS will ask for, where connect() was told. */
  readonly serverName: string | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  /** Connects the program's leg to this port of 127.0.0.1. Returns its own port, or a negative errno. */
  startLeg(relayPort: number): number;
  connected(local: Endpoint, remote: Endpoint): void;
  failed(failure: DialFailure): void;
  /** Our own failure: the relay cannot be reached. */
  broken(error: Error): void;
  /** The relay died while it carried the flow. */
  died(): void;
  /** Bytes that the program has written so far. */
  bytesWritten(): number;
  /** Whether the program has read nothing since its latest write. */
  isWaiting(): boolean;
  /** The server name that TLS on top of the connection asked for, if it has. */
  askedServerName(): string | undefined;
  /** The program's socket dies of an injected reset, now. */
  reset(): void;
}

export interface Endpoint {
  readonly address: string;
  readonly port: number;
  readonly family: string;
}

export interface DialFailure {
  readonly errno: number;
  /** The kernel refused at once. */
  readonly sync: boolean;
  readonly local: string | undefined;
  readonly injected: boolean;
}

/** How a handle was closed: with a FIN, with a reset, or only here because another process has it now. */
export type CloseKind = "close" | "reset" | "sent away";

/** Changes the plaintext of a TLS flow. Direction 0 is what the program writes, 1 what it reads. */
export interface Plaintext {
  /** Returns what goes on now. What is held back comes with the next bytes, or through `later` when none follow in time. */
  pass(direction: 0 | 1, bytes: Uint8Array, later: (bytes: Uint8Array) => void): Uint8Array;
  /** What is held back, when nothing follows. */
  end(direction: 0 | 1): Uint8Array;
}

/** One steered connection, from the program's side. */
export interface SteeredFlow {
  /**
   * The flow is used by this caller: binds it to the caller's scope. `offset` gives the bytes written before. `request`: this begins a request, and
   * does not go on with an earlier one.
   */
  useBy(caller: Caller, offset: () => number, request: boolean): void;
  /** The program waits for an answer to what it writes from `offset` on, or from a little later. */
  arm(offset: number, tls: boolean): void;
  /** What mutates the flow's plaintext at present; undefined: nothing does. */
  plaintext(): Plaintext | undefined;
  setKeepAlive(enable: boolean, delaySeconds: number): void;
  /** TLS carries the flow: its hello begins at this uplink byte, and what follows on the wire is ciphertext. */
  startTls(offset: number): void;
  /** A request of an HTTP/2 session was made; its first header came; its stream closed. */
  requestOpened(request: number): void;
  requestAnswered(request: number): void;
  requestClosed(request: number): void;
  /** The peer really ended: an end of file without that is a relay that died. */
  finIsGenuine(): boolean;
  /** The relay reset the leg, or is about to. */
  wasReset(): boolean;
  /** Calls back with whether the relay is alive. */
  whenAlive(callback: (alive: boolean) => void): void;
  /** What a reset of the leg stands for; errno 0: it is a reset. */
  storedError(): { readonly errno: number; readonly injected: boolean };
  /** The program closed the handle. */
  closed(how: CloseKind): void;
}

/** Which interface a name is looked up by: the system's resolver or a DNS client. */
export type LookupKind = "lookup" | "resolver";

/** What is to happen to a lookup. One of `hold` and `fail` is called, once. */
export interface LookupFate {
  /** The lookup will fail: the real one need not be made. */
  readonly fails: boolean;
  /** Its answer came: `deliver` runs when the program may have it, which may be now. */
  hold(deliver: () => void): void;
  /** `raise` runs when the lookup fails, with the code; `proceed` instead when the scope ends before. */
  fail(raise: (code: "ENOTFOUND" | "EAI_AGAIN" | "ETIMEOUT") => void, proceed: () => void): void;
  /** The lookup is over otherwise: neither runs any more. */
  cancel(): void;
}

/** One name lookup, as the rest knows it. */
export interface Lookup {
  /** undefined: it is left alone. */
  readonly fate: LookupFate | undefined;
  /** The name has these addresses. */
  found(addresses: readonly string[]): void;
}

export interface Router {
  /** Called as a name is looked up, in the context of whoever does. Never called for addresses. */
  lookup(hostname: string, kind: LookupKind): Lookup;
  /** Whether anything could be governed: a live scope, an activation, or a steered flow that may have to be unbound. */
  isBusy(): boolean;
  /** Called by `connect()`: what the new flow belongs to; undefined: leave it alone. */
  origin(): Origin | undefined;
  /** Hands one address over. Throws a FaultcoreError when that is impossible. */
  dial(request: DialRequest): SteeredFlow;
  /**
   * The scope that the running code is in, to be used later by `useBy`; outside of all scopes, the one whose call returned this socket.
   * The same object for the same scope.
   */
  caller(socket?: object): Caller;
  /** Where the running code is. */
  here(): Here;
  /** Runs code where `here` was called. */
  runIn<R>(place: Here, body: () => R): R;
  /** The running code goes on where `here` was called, until it calls what is returned. */
  enter(place: Here): () => void;
  /** Runs what a connection calls with what it has read. */
  runAnswer<A, B, R>(connection: object, body: (reader: A, data: B) => R, reader: A, data: B): R;
  /** Whether the running code is what `runAnswer` runs for the connection, or was set going by it, outside of scopes that began there. */
  isAnswer(connection: object): boolean;
  /** A socket that is not steered was used, by this caller (undefined: by the running code). */
  unsteeredUse(socket: object, caller: Caller | undefined): void;
}

/** Where a flow of datagrams goes. */
export interface DatagramPeer {
  readonly address: string;
  readonly port: number;
  /** The name that the program gave, if it did. */
  readonly hostname: string | undefined;
}

/** A datagram as the adapter has it; `take` copies its bytes out of buffers that the program may use again. */
export interface Datagram {
  readonly bytes: number;
  take(): Uint8Array;
  /** Whatever belongs to it: handed back with the bytes. */
  readonly tag?: unknown;
}

/** What becomes of datagrams that do not go on at once, and unchanged. */
export interface DatagramPort {
  /** The datagram leaves for the peer now. */
  transmit(bytes: Uint8Array): void;
  /** The datagram arrives at the program now. */
  deliver(bytes: Uint8Array, tag: unknown): void;
  /** The socket fails as it does when the network reports an error. */
  fail(code: string): void;
  /** No uplink datagram is on its way any more. */
  drained(): void;
}

/** One flow of datagrams: a socket and a peer that it sent to first. */
export interface DatagramFlow {
  /** The flow is used by this caller: binds it to the caller's scope. */
  useBy(caller: Caller): void;
  /** Whether a scope governs the flow now. */
  readonly governed: boolean;
  /** Uplink datagrams on their way. */
  readonly pending: number;
  /** True: the datagram goes out at once, as it is. */
  send(datagram: Datagram): boolean;
  /** True: the program gets it at once, as it is. */
  receive(datagram: Datagram): boolean;
  /** The socket was closed: nothing arrives any more, what was sent still leaves. */
  close(): void;
  /** What has not left is lost. */
  abandon(): void;
}

/** Where datagrams belong. */
export interface DatagramRouter {
  flow(peer: DatagramPeer, port: DatagramPort): DatagramFlow;
}
