/**
 * TCP: diverts the handle's connect to the relay and leaves everything else to Node.
 *
 * Owns: the patches of `net.Socket`, of the TCP handle class and of `TLSSocket._wrapHandle`. Never: names, races of addresses, the
 * building of events: Node's own JavaScript does that, because it never learns that its handle went elsewhere.
 */
import net from "node:net";
import type { Socket } from "node:net";
import tls from "node:tls";
import type { SocketName } from "../internal/tcp-handle.ts";
import type { AnnouncedCommands } from "./announced-commands.ts";
import { lateOrigin, leaveAlone } from "./bypassed.ts";
import { isLeg, isOutbound } from "./handles.ts";
import { findTcp } from "./node-internals.ts";
import type { ConnectRequest, StreamHandle, Tcp, TcpHandle } from "./node-internals.ts";
import type { Patches } from "./patches.ts";
import { hide } from "./patches.ts";
import type { Router } from "./router.ts";
import { translateErrors, watchReads } from "./reads.ts";
import { markConnect, markSteered, noteWrite, originOf, steeredOf, uplinkOffset } from "./sockets.ts";
import type { Asked } from "./sockets.ts";
import { patchPlaintext, watchPlaintext } from "./plaintext.ts";
import { Steering } from "./steering.ts";
import type { Bound, Originals } from "./steering.ts";

export function patchNet(patches: Patches, router: Router, commands: AnnouncedCommands): void {
  const tcp = findTcp();
  const { prototype } = tcp.TCP;
  const originals: Originals = {
    connect: prototype.connect,
    getsockname: prototype.getsockname,
    close: prototype.close,
    reset: prototype.reset,
    setNoDelay: prototype.setNoDelay,
  };
  const bound = new WeakMap<TcpHandle, Bound>();
  const isOutboundTcp = (socket: Socket): boolean => isOutbound(socket, tcp.TCP);

  patches.replace(net.Socket.prototype, "connect", (original) => {
    return function connect(this: Socket, ...args: unknown[]): Socket {
      const origin = router.origin();
      markConnect(this, origin, origin === undefined ? undefined : whatIsAsked(this, args));
      return (original as (...args: unknown[]) => Socket).apply(this, args);
    };
  });

  for (const [name, family] of [
    ["connect", 4],
    ["connect6", 6],
  ] as const) {
    patches.replace(prototype, name, (original) => {
      return function (this: TcpHandle, request: ConnectRequest, address: string, port: number): number {
        const socket = this[tcp.ownerSymbol] as Socket | null | undefined;
        if (isLeg(request)) return original.call(this, request, address, port);
        const origin = socket ? (originOf(socket) ?? lateOrigin(socket, router)) : undefined;
        if (!socket || origin === undefined || hasLocalPort(this, originals, bound)) {
          if (socket) leaveAlone(socket, router);
          return original.call(this, request, address, port);
        }
        const steering = new Steering(tcp, originals, router, this, socket, request, { address, port, family });
        return steering.start(origin, bound.get(this));
      };
    });
  }

  for (const name of ["bind", "bind6"] as const) {
    patches.replace(prototype, name, (original) => {
      return function (this: TcpHandle, address: string, port: number, flags?: number): number {
        const socket = this[tcp.ownerSymbol] as Socket | null | undefined;
        const origin = socket?.connecting === true ? (originOf(socket) ?? lateOrigin(socket, router)) : undefined;
        if (origin === undefined) return original.call(this, address, port, flags);
        return tryBind(tcp, originals, this, bound, original, address, port, flags);
      };
    });
  }

  patchPlaintext(patches, router);
  for (const name of ["write", "end"] as const) {
    patches.replace(net.Socket.prototype, name, (original) => {
      // Three parameters, as both have, and no list of them: this is called for every write of the process.
      return function (this: Socket, chunk?: unknown, encoding?: unknown, done?: unknown): unknown {
        const announced = commands.any ? commands.callerOf(this, chunk) : undefined;
        if (router.isBusy() && chunk !== undefined && chunk !== null && typeof chunk !== "function") {
          noteWrite(this, router, isOutboundTcp, announced);
        }
        return (original as Write).call(this, chunk, encoding, done);
      } as typeof original;
    });
  }

  // A plain socket that TLS is put on top of (STARTTLS): its reads and errors surface on the new socket.
  patches.replace(tls.TLSSocket.prototype as unknown as TlsInternals, "_wrapHandle", (original) => {
    return function (this: TlsInternals, wrap: Socket | null | undefined, ...rest: unknown[]): StreamHandle {
      const handle = original.call(this, wrap, ...rest);
      const steered = wrap ? steeredOf(wrap) : undefined;
      if (wrap && steered !== undefined) {
        // What the program wrote before is plain text; the hello comes right behind it.
        steered.flow.startTls(uplinkOffset(wrap));
        steered.socket = this as unknown as Socket;
        markSteered(this, steered);
        translateErrors(this as unknown as Socket, steered);
        watchReads(handle, this as unknown as Socket, tcp.ownerSymbol, steered, router);
        watchPlaintext(this as unknown as Socket, steered);
      }
      return handle;
    };
  });
}

type Write = (this: Socket, chunk?: unknown, encoding?: unknown, done?: unknown) => unknown;

interface TlsInternals {
  _wrapHandle(wrap: Socket | null | undefined, ...rest: unknown[]): StreamHandle;
}

/** The names that `connect` was asked for; undefined for an address, a path or arguments that Node will refuse. */
function whatIsAsked(socket: Socket, args: readonly unknown[]): Asked {
  const first = Array.isArray(args[0]) ? (args[0] as unknown[])[0] : args[0];
  const options = typeof first === "object" && first !== null ? (first as { host?: unknown; servername?: unknown }) : { host: args[1] };
  // Node sends no server name that it was not told, whatever the host is.
  const serverName = socket instanceof tls.TLSSocket ? nameIn(options.servername) : undefined;
  return { hostname: nameIn(typeof options.host === "string" && options.host !== "" ? options.host : "localhost"), serverName };
}

function nameIn(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" && net.isIP(value) === 0 ? value : undefined;
}

/** A handle that was bound by other means (a `BoundSocket`) keeps its port: it cannot become a leg. */
function hasLocalPort(handle: TcpHandle, originals: Originals, bound: WeakMap<TcpHandle, Bound>): boolean {
  if (bound.has(handle)) return false;
  const name: SocketName = {};
  return originals.getsockname.call(handle, name) === 0 && (name.port ?? 0) > 0;
}

/**
 * The relay binds in the program's place; whether that can work is tried here and now on a handle that is thrown away, because Node
 * reports such errors at once.
 */
function tryBind(
  tcp: Tcp,
  originals: Originals,
  handle: TcpHandle,
  bound: WeakMap<TcpHandle, Bound>,
  original: TcpHandle["bind"],
  address: string,
  port: number,
  flags: number | undefined,
): number {
  const trial = new tcp.TCP(0);
  let errno = original.call(trial, address, port, flags);
  // libuv reports an address in use only when the socket is looked at.
  if (errno === 0 && port > 0) errno = originals.getsockname.call(trial, {});
  originals.close.call(trial);
  if (errno !== 0) return errno;
  bound.set(handle, { address, port });
  hide(handle, "getsockname", (out: SocketName): number => {
    Object.assign(out, { address, family: net.isIPv6(address) ? "IPv6" : "IPv4", port });
    return 0;
  });
  return 0;
}
