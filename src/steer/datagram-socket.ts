/**
 * What a steered UDP socket carries: its peers, which of them the program spoke to first, and the hooks on its handle.
 *
 * Owns: the handle's `send`, `lookup`, `connect`, `disconnect`, `setBroadcast`, `close` and `onmessage`. Never: what happens to a datagram (the
 * router says that), arguments, queues, events and errors of Node. Invariants: a peer that spoke first is never faulted, in neither direction;
 * what the kernel would refuse is left to the kernel; the handle of a closed socket stays open only until what was sent has left.
 */
import { AsyncResource } from "node:async_hooks";
import type { RemoteInfo, Socket } from "node:dgram";
import { clearTimeout, setImmediate, setTimeout } from "node:timers";
import type { SocketName } from "../internal/tcp-handle.ts";
import { brandInjected } from "../internal/brand.ts";
import { canonicalAddress } from "./dgram-internals.ts";
import type { LookupCallback, OnMessage, SendRequest, SendRest, UdpHandle } from "./dgram-internals.ts";
import { errnoOf } from "../internal/errnos.ts";
import { errnoException } from "./node-internals.ts";
import { nameOf, Peers } from "./datagram-peers.ts";
import type { Peer } from "./datagram-peers.ts";
import { hide } from "./patches.ts";
import type { Caller, DatagramFlow, DatagramPort, DatagramRouter, Router } from "./router.ts";

/** A closed socket waits no longer than this for what was sent to leave. */
const LINGER_MS = 60_000;
/** The largest payload of a datagram: the kernel refuses more. */
const MAX_BYTES = { ipv4: 65_507, ipv6: 65_527 } as const;

/** What the program does at the moment, as far as the handle's calls do not show it. */
export interface Doing {
  /** Who sends. */
  caller: Caller | undefined;
  /** The name that was looked up for it. */
  hostname: string | undefined;
}

export class DatagramSocket {
  readonly #socket: Socket;
  readonly #handle: UdpHandle;
  readonly #originals: UdpHandle;
  readonly #doing: Doing;
  readonly #router: Router;
  readonly #datagrams: DatagramRouter;
  readonly #peers = new Peers();
  /** The peer that the socket is connected to; null: none; undefined: nobody has looked yet. */
  #connected: Peer | null | undefined;
  #broadcast = false;
  #closed = false;
  #linger: NodeJS.Timeout | undefined;
  /** Closes the handle when what was sent has left. */
  #afterLinger: (() => void) | undefined;
  #SendRequest: (new () => SendRequest) | undefined;
  #onmessage: OnMessage | undefined;
  /** The async context in which Node reports messages of this handle. */
  #context: AsyncResource | undefined;
  readonly #arrived: (readonly [bytes: Uint8Array, from: RemoteInfo])[] = [];
  /** The peer whose message the program handles right now. */
  hearing: Peer | undefined;

  constructor(socket: Socket, handle: UdpHandle, doing: Doing, router: Router, datagrams: DatagramRouter) {
    this.#socket = socket;
    this.#handle = handle;
    this.#doing = doing;
    this.#router = router;
    this.#datagrams = datagrams;
    const { send, lookup, connect, disconnect, bind, setBroadcast, getsockname, getpeername, close } = handle;
    this.#originals = { send, lookup, connect, disconnect, bind, setBroadcast, getsockname, getpeername, close };
    this.#hook();
  }

  /** Whether this is about the socket's handle of now: cluster workers are given another one, which is left alone. */
  isOf(handle: UdpHandle | null): boolean {
    return handle === this.#handle;
  }

  /** A message from this address is about to reach the program. */
  heardFrom(address: string, port: number): Peer {
    return this.#peers.of(address, port, true);
  }

  #hook(): void {
    const own = this.#handle;
    const originals = this.#originals;
    const doing = this.#doing;
    const send = (request: SendRequest, list: readonly ArrayBufferView[], count: number, rest: SendRest): number =>
      this.#send(request, list, count, rest);
    const connected = (address: string, port: number): void => {
      this.#connected = this.#peers.of(canonicalAddress(address), port, false);
      this.#connected.hostname = nameOf(doing.hostname);
    };
    const disconnected = (): void => void (this.#connected = null);

    hide(own, "send", function (this: UdpHandle, request: SendRequest, list: readonly ArrayBufferView[], count: number, ...rest: SendRest) {
      if (this !== own) return originals.send.call(this, request, list, count, ...rest);
      return send(request, list, count, rest);
    });
    hide(own, "lookup", (address: string | undefined, callback: LookupCallback): void => {
      // Who asked is told to `send` and `connect`, which Node calls when the name is known.
      const { caller } = doing;
      originals.lookup.call(own, address, (error, found, family) => {
        const before = { ...doing };
        Object.assign(doing, { caller, hostname: address });
        try {
          callback(error, found, family);
        } finally {
          Object.assign(doing, before);
        }
      });
    });
    hide(own, "connect", function (this: UdpHandle, address: string, port: number) {
      const errno = originals.connect.call(this, address, port);
      if (this === own && errno === 0) connected(address, port);
      return errno;
    });
    hide(own, "disconnect", function (this: UdpHandle) {
      if (this === own) disconnected();
      return originals.disconnect.call(this);
    });
    hide(own, "setBroadcast", (on: number) => {
      this.#broadcast = Boolean(on);
      return originals.setBroadcast.call(own, on);
    });
    hide(own, "close", (callback?: () => void) => this.#close(callback));
  }

  #send(request: SendRequest, list: readonly ArrayBufferView[], count: number, rest: SendRest): number {
    const asItIs = (): number => this.#originals.send.call(this.#handle, request, list, count, ...rest);
    const peer = rest.length === 1 ? this.#connectedPeer() : this.#peers.of(canonicalAddress(rest[1]), rest[0], false);
    if (peer === undefined || peer.inbound || (peer.flow === undefined && !this.#router.isBusy())) return asItIs();
    const flow = (peer.flow ??= this.#openFlow(peer));
    // Sent while its own message is handled: that belongs to nobody new.
    if (this.hearing !== peer) flow.useBy(this.#doing.caller ?? this.#router.caller(this.#socket));
    if (!flow.governed) return asItIs();
    let bytes = 0;
    for (const part of list) bytes += part.byteLength;
    if (!this.#kernelTakes(peer, bytes)) return asItIs();
    this.#SendRequest ??= request.constructor as new () => SendRequest;
    this.#watchMessages();
    if (flow.send({ bytes, take: () => joined(list, bytes) })) return asItIs();
    return bytes + 1;
  }

  #openFlow(peer: Peer): DatagramFlow {
    peer.hostname ??= nameOf(this.#doing.hostname);
    const port: DatagramPort = {
      transmit: (bytes) => this.#transmit(peer, bytes),
      deliver: (bytes, from) => this.#deliver(bytes, from as RemoteInfo),
      fail: (code) => this.#fail(code),
      drained: () => this.#drained(),
    };
    return this.#datagrams.flow({ address: peer.address, port: peer.port, hostname: peer.hostname }, port);
  }

  #connectedPeer(): Peer | undefined {
    if (this.#connected === undefined) {
      const name: SocketName = {};
      const errno = this.#originals.getpeername.call(this.#handle, name);
      this.#connected = errno === 0 && name.address !== undefined ? this.#peers.of(name.address, name.port ?? 0, false) : null;
    }
    return this.#connected ?? undefined;
  }

  /** Whether the kernel would take a datagram, which it says at once. A socket that is thrown away asks for the route; nothing is sent. */
  #kernelTakes(peer: Peer, bytes: number): boolean {
    const ipv4 = !peer.address.includes(":") || peer.address.startsWith("::ffff:");
    if (bytes > (ipv4 ? MAX_BYTES.ipv4 : MAX_BYTES.ipv6)) return false;
    // What was refused may be allowed later: a broadcast after `setBroadcast`.
    return (peer.reachable ||= this.#connected === peer || this.#hasRoute(peer));
  }

  #hasRoute(peer: Peer): boolean {
    const Handle = this.#handle.constructor as new () => UdpHandle;
    const trial = new Handle();
    try {
      const local: SocketName = {};
      const { bind, connect, getsockname, setBroadcast } = this.#originals;
      getsockname.call(this.#handle, local);
      const address = local.address ?? "0.0.0.0";
      if (bind.call(trial, address, 0, 0) !== 0) return false;
      if (this.#broadcast) setBroadcast.call(trial, 1);
      return connect.call(trial, peer.address, peer.port) === 0;
    } finally {
      trial.close();
    }
  }

  /** A datagram that waited leaves. What the kernel drops now is as lost as what a router drops. */
  #transmit(peer: Peer, bytes: Uint8Array): void {
    if (this.#SendRequest === undefined) return;
    for (let attempt = 0; attempt < 2; attempt++) {
      const request = new this.#SendRequest();
      request.list = [bytes];
      const rest: SendRest = this.#connectedPeer() === peer ? [false] : [peer.port, peer.address, false];
      const result = this.#originals.send.call(this.#handle, request, [bytes], 1, ...rest);
      // An error that the network reported for an earlier datagram stands in the way of this one, once.
      if (result !== errnoOf("ECONNREFUSED")) return;
      if (!this.#closed) this.#onmessage?.call(this.#handle, result, this.#handle, undefined, undefined as never);
    }
  }

  /** Node sets `onmessage` when the socket is bound. */
  #watchMessages(): void {
    const { onmessage } = this.#handle;
    if (onmessage === undefined || this.#onmessage !== undefined) return;
    this.#onmessage = onmessage;
    const receive = (nread: number, bytes: Buffer | undefined, from: RemoteInfo): boolean => this.#receive(nread, bytes, from);
    // oxlint-disable-next-line unicorn/prefer-add-event-listener -- a native handle has nothing else
    this.#handle.onmessage = function (this: UdpHandle, nread, handle, bytes, from): void {
      if (receive(nread, bytes, from)) onmessage.call(this, nread, handle, bytes, from);
    };
  }

  /** Called as the kernel hands a message over. True: the program gets it now. */
  #receive(nread: number, bytes: Buffer | undefined, from: RemoteInfo): boolean {
    this.#context ??= new AsyncResource("FAULTCOREDATAGRAMS");
    if (nread < 0 || bytes === undefined) return true;
    const flow = this.#peers.known(from.address, from.port)?.flow;
    return flow === undefined || flow.receive({ bytes: bytes.length, take: () => bytes, tag: from });
  }

  /** A turn of its own for each message, as Node does it: promises of the one are settled before the next comes. */
  #deliver(bytes: Uint8Array, from: RemoteInfo): void {
    if (this.#closed) return;
    this.#arrived.push([bytes, from]);
    setImmediate(() => {
      const next = this.#arrived.shift();
      if (next === undefined || this.#closed || this.#onmessage === undefined) return;
      const [data, rinfo] = next;
      const buffer = Buffer.isBuffer(data) ? data : Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      this.#inContext(() => this.#onmessage?.call(this.#handle, buffer.length, this.#handle, buffer, { ...rinfo }));
    });
  }

  #fail(code: string): void {
    const error = brandInjected(errnoException(errnoOf(code), "recvmsg"));
    setImmediate(() => {
      if (!this.#closed) this.#inContext(() => this.#socket.emit("error", error));
    });
  }

  #inContext(run: () => void): void {
    if (this.#context === undefined) run();
    else this.#context.runInAsyncScope(run);
  }

  #close(callback: (() => void) | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#arrived.length = 0;
    for (const { flow } of this.#peers.all()) flow?.close();
    if (!this.#isPending()) {
      this.#originals.close.call(this.#handle, callback);
      return;
    }
    this.#linger = setTimeout(() => {
      for (const { flow } of this.#peers.all()) flow?.abandon();
      this.#drained();
    }, LINGER_MS).unref();
    this.#afterLinger = () => this.#originals.close.call(this.#handle, callback);
  }

  #drained(): void {
    if (this.#afterLinger === undefined || this.#isPending()) return;
    const close = this.#afterLinger;
    this.#afterLinger = undefined;
    clearTimeout(this.#linger);
    close();
  }

  #isPending(): boolean {
    for (const { flow } of this.#peers.all()) if (flow !== undefined && flow.pending > 0) return true;
    return false;
  }
}

/** The program may use its buffers again as soon as Node says that they were sent. */
function joined(list: readonly ArrayBufferView[], bytes: number): Uint8Array {
  const copy = Buffer.allocUnsafeSlow(bytes);
  let at = 0;
  for (const { buffer, byteOffset, byteLength } of list) {
    copy.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return copy;
}
