/**
 * One diverted connect of one handle: the leg goes to the relay, the verdict completes the program's request, and the handle answers
 * for the real connection.
 */
import { AsyncResource } from "node:async_hooks";
import type { Socket } from "node:net";
import type { SocketName } from "../internal/tcp-handle.ts";
import { isLoopback } from "../internal/addresses.ts";
import { FaultcoreError } from "../errors.ts";
import { brandInjected } from "../internal/brand.ts";
import { nextTick } from "../internal/real-timers.ts";
import { dress } from "./dressed-handle.ts";
import { markLeg } from "./handles.ts";
import { ECANCELED, ECONNRESET, EINVAL, ENOTCONN, connectException, errnoException } from "./node-internals.ts";
import type { ConnectRequest, StreamHandle, Tcp, TcpHandle } from "./node-internals.ts";
import { override } from "./patches.ts";
import type { CloseKind, DialFailure, Endpoint, Origin, Router, SteeredFlow } from "./router.ts";
import { watchPlaintext } from "./plaintext.ts";
import { askedServerName, destroyNow } from "./open-sockets.ts";
import { translateErrors, watchReads } from "./reads.ts";
import { askedOf, markSteered, newSteered } from "./sockets.ts";
import type { Steered } from "./sockets.ts";

const LOOPBACK = "127.0.0.1";
/** Taken at load: fake timers replace the global, and never run what it is given. */
const soon = globalThis.queueMicrotask;

/** The handle's methods as Node has them. */
export interface Originals {
  readonly connect: TcpHandle["connect"];
  readonly getsockname: TcpHandle["getsockname"];
  readonly close: TcpHandle["close"];
  readonly reset: TcpHandle["reset"];
  readonly setNoDelay: TcpHandle["setNoDelay"];
}

/** Where `bind` put a socket that is about to connect. */
export interface Bound {
  readonly address: string;
  readonly port: number;
}

export class Steering {
  readonly #originals: Originals;
  readonly #router: Router;
  readonly #handle: TcpHandle;
  readonly #socket: Socket;
  readonly #request: ConnectRequest;
  readonly #to: { readonly address: string; readonly port: number; readonly family: 4 | 6 };
  readonly #tcp: Tcp;
  // Node's callback must run in the context in which connect was called.
  readonly #context = new AsyncResource("TCPCONNECTWRAP");
  #flow: SteeredFlow | undefined;
  #legStatus: number | undefined;
  #local: Endpoint | undefined;
  #remote: Endpoint | undefined;
  #settled = false;

  constructor(
    tcp: Tcp,
    originals: Originals,
    router: Router,
    handle: TcpHandle,
    socket: Socket,
    request: ConnectRequest,
    to: { address: string; port: number; family: 4 | 6 },
  ) {
    this.#tcp = tcp;
    this.#originals = originals;
    this.#router = router;
    this.#handle = handle;
    this.#socket = socket;
    this.#request = request;
    this.#to = to;
  }

  start(origin: Origin, bound: Bound | undefined): number {
    const { address, port, family } = this.#to;
    // It answers for the real connection from now on.
    dress(this.#handle, this.#tcp.TCP.prototype, this);
    const asked = askedOf(this.#socket);
    const steered = newSteered(this.#socket);
    try {
      steered.flow = this.#router.dial({
        origin,
        address,
        port,
        family,
        hostname: asked?.hostname,
        serverName: asked?.serverName,
        localAddress: bound?.address,
        localPort: bound?.port || undefined,
        startLeg: (relayPort) => this.#startLeg(relayPort),
        connected: (local, remote) => this.#connected(local, remote),
        failed: (failure) => this.#failed(failure),
        broken: (error) => this.#socket.destroy(error),
        died: () => this.#died(),
        bytesWritten: () => this.#handle.bytesWritten,
        isWaiting: () => steered.waiting,
        askedServerName: () => askedServerName(steered.socket),
        reset: () => this.#reset(steered),
      });
    } catch (error) {
      // As Node reports its own errors of a connect that began: later, on the socket.
      nextTick(() => this.#socket.destroy(error as Error));
      return 0;
    }
    this.#flow = steered.flow;
    markSteered(this.#socket, steered);
    // Somebody may give the handle to another socket.
    markSteered(this.#handle, steered);
    translateErrors(this.#socket, steered);
    // TLS reads through a wrap of its own.
    const reader = (this.#socket as unknown as { _handle: StreamHandle | null })._handle ?? this.#handle;
    watchReads(reader, this.#socket, this.#tcp.ownerSymbol, steered, this.#router);
    if (reader._parent !== undefined) {
      steered.flow.startTls(0);
      watchPlaintext(this.#socket, steered);
    }
    return 0;
  }

  #startLeg(relayPort: number): number {
    const Request = this.#request.constructor as new () => ConnectRequest;
    const leg = new Request();
    markLeg(leg);
    leg.oncomplete = (status) => {
      this.#legStatus = status;
      if (status === 0) this.#complete();
      else this.#legFailed(status);
    };
    const errno = this.#originals.connect.call(this.#handle, leg, LOOPBACK, relayPort);
    if (errno !== 0) return errno < 0 ? errno : EINVAL;
    const name: SocketName = {};
    const nameErrno = this.#originals.getsockname.call(this.#handle, name);
    if (nameErrno !== 0) return nameErrno;
    this.#originals.setNoDelay.call(this.#handle, true);
    return name.port ?? EINVAL;
  }

  getsockname(out: SocketName): number {
    return answer(out, this.#local ?? this.#legName(), EINVAL);
  }

  getpeername(out: SocketName): number {
    return answer(out, this.#remote, ENOTCONN);
  }

  setKeepAlive(on: boolean, delaySeconds: number): void {
    this.#flow?.setKeepAlive(on, delaySeconds);
  }

  close(callback: (() => void) | undefined): unknown {
    const dialling = !this.#settled;
    // A socket that was sent to another process is closed here and lives on there.
    const sentAway = (this.#socket as unknown as { _handle: unknown })._handle === null && !this.#socket.destroyed;
    this.#end(sentAway ? "sent away" : "close");
    return this.#originals.close.call(this.#handle, () => {
      // As libuv does with a connect that is under way.
      if (dialling) this.#oncomplete(ECANCELED);
      callback?.();
    });
  }

  reset(callback: (() => void) | undefined): number {
    const errno = this.#originals.reset.call(this.#handle, callback);
    if (errno === 0) this.#end("reset");
    return errno;
  }

  /**
   * Until the dial is over, the name of the socket that will be dialled is not known. On loopback the leg's is as good; elsewhere it
   * would be a wrong address.
   */
  #legName(): Endpoint | undefined {
    const name: SocketName = {};
    if (!isLoopback(this.#to.address) || this.#originals.getsockname.call(this.#handle, name) !== 0) return undefined;
    return { address: name.address ?? "", family: name.family ?? "", port: name.port ?? 0 };
  }

  #end(how: CloseKind): void {
    this.#settled = true;
    this.#flow?.closed(how);
  }

  #connected(local: Endpoint, remote: Endpoint): void {
    this.#local = local;
    this.#remote = remote;
    // Node keeps the name once it was asked for; while dialling that was the leg's.
    (this.#socket as unknown as { _sockname: unknown })._sockname = null;
    this.#complete();
  }

  #complete(): void {
    if (this.#settled || this.#legStatus !== 0 || this.#remote === undefined) return;
    this.#oncomplete(0);
  }

  /** Not the peer's doing: a relay that is dying, or no local port left. */
  #legFailed(errno: number): void {
    const fail = (): void => {
      if (this.#settled) return;
      this.#settled = true;
      const cause = errnoException(errno, "connect");
      const error = new FaultcoreError("ERR_FAULTCORE_RELAY", `The connection could not reach the relay (${cause.code}).`, { cause });
      this.#context.runInAsyncScope(() => this.#socket.destroy(error));
    };
    // A relay that gave its verdict resets the leg right after it, and the reset can be faster: what was said before is heard first.
    if (this.#flow === undefined) fail();
    else this.#flow.whenAlive(fail);
  }

  #oncomplete(status: number): void {
    this.#settled = true;
    const ok = status === 0;
    this.#context.runInAsyncScope(() => this.#request.oncomplete?.(status, this.#handle, this.#request, ok, ok));
  }

  #reset({ socket }: Steered): void {
    const error = brandInjected(errnoException(ECONNRESET, "read"));
    this.#context.runInAsyncScope(() => destroyNow(socket, error));
  }

  #died(): void {
    if (!this.#settled) this.#oncomplete(ECONNRESET);
  }

  #failed({ errno, sync, local, injected }: DialFailure): void {
    if (this.#settled) return;
    const { address, port } = this.#to;
    if (sync && local !== undefined) {
      if (!this.#isRace()) {
        this.#settled = true;
        const error = connectException(errno, address, port, local);
        this.#context.runInAsyncScope(() => {
          if (!this.#socket.destroyed) this.#socket.destroy(error);
        });
        return;
      }
      this.#nameUnconnected(local);
    }
    if (injected) this.#brandNext();
    this.#oncomplete(errno);
  }

  /** Whether Node tries several addresses: then its callback is bound to the race. */
  #isRace(): boolean {
    return this.#request.oncomplete?.name.startsWith("bound") === true;
  }

  /** In a race, an address that the kernel refuses at once is reported with the unconnected socket's address in the message only. */
  #nameUnconnected(local: string): void {
    const colon = local.lastIndexOf(":");
    this.#request.localAddress = local.slice(0, colon);
    this.#request.localPort = local.slice(colon + 1);
    this.#intercept((error) => {
      delete (error as { localAddress?: unknown }).localAddress;
      delete (error as { localPort?: unknown }).localPort;
    });
  }

  /** Node builds the error of a failed attempt; ours only marks it. */
  #brandNext(): void {
    this.#intercept(brandInjected);
  }

  /** Sees the error that Node makes of this verdict: the socket dies of it, or the race reports it. */
  #intercept(see: (error: Error) => void): void {
    const socket = this.#socket;
    const undo = [
      override(socket, "emit", (original) => (...args) => {
        if (args[0] === "connectionAttemptFailed" && args[4] instanceof Error) see(args[4]);
        return original.apply(socket, args);
      }),
      override(socket, "destroy", (original) => (...args) => {
        if (args[0] instanceof Error) see(args[0]);
        return original.apply(socket, args);
      }),
    ];
    // The verdict is passed on in this very turn.
    soon(() => {
      for (const restore of undo) restore();
    });
  }
}

/** In the order of properties that Node has. */
function answer(out: SocketName, endpoint: Endpoint | undefined, errno: number): number {
  if (endpoint === undefined) return errno;
  out.address = endpoint.address;
  out.family = endpoint.family;
  out.port = endpoint.port;
  return 0;
}
