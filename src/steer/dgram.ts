/**
 * UDP: notes who sends and who spoke first, and leaves everything else to Node.
 *
 * Owns: the patches of `dgram.Socket`. What hangs on a socket's handle is in `datagram-socket.ts`. Never: arguments, names, queues, events: Node's
 * own JavaScript does that, because it never learns that a datagram waits.
 */
import dgram from "node:dgram";
import type { RemoteInfo, Socket } from "node:dgram";
import { DatagramSocket } from "./datagram-socket.ts";
import type { Doing } from "./datagram-socket.ts";
import { findDgramState, stateOf } from "./dgram-internals.ts";
import { hide } from "./patches.ts";
import type { Patches } from "./patches.ts";
import type { DatagramRouter, Router } from "./router.ts";

type Method = (...args: unknown[]) => unknown;

const kDatagrams: unique symbol = Symbol("faultcore.datagrams");

interface Marked {
  [kDatagrams]?: DatagramSocket | undefined;
}

export function patchDgram(patches: Patches, router: Router, datagrams: DatagramRouter): void {
  const stateSymbol = findDgramState();
  const doing: Doing = { caller: undefined, hostname: undefined };
  const { prototype } = dgram.Socket;

  /** The socket's hooks. Also a socket that was made before steering began gets them, at its first use. */
  const attach = (socket: Socket): DatagramSocket | undefined => {
    const handle = stateOf(socket, stateSymbol)?.handle;
    const attached = (socket as Marked)[kDatagrams];
    if (!handle) return undefined;
    if (attached !== undefined) return attached.isOf(handle) ? attached : undefined;
    const fresh = new DatagramSocket(socket, handle, doing, router, datagrams);
    hide(socket, kDatagrams, fresh);
    return fresh;
  };

  patches.replace(prototype, "send", (original) => {
    return function send(this: Socket, ...args: unknown[]): unknown {
      attach(this);
      // Called again when the socket is bound: then it was noted who did it first.
      const caller = doing.caller ?? (router.isBusy() ? router.caller(this) : undefined);
      if (caller === undefined) return (original as Method).apply(this, args);
      const before = doing.caller;
      const queued = stateOf(this, stateSymbol)?.queue?.length ?? 0;
      doing.caller = caller;
      try {
        return (original as Method).apply(this, args);
      } finally {
        doing.caller = before;
        keepCaller(stateOf(this, stateSymbol)?.queue, queued, doing);
      }
      function keepCaller(queue: (() => void)[] | undefined, from: number, state: Doing): void {
        for (let index = from; queue !== undefined && index < queue.length; index++) {
          const entry = queue[index]!;
          queue[index] = () => withCaller(state, caller!, entry);
        }
      }
    } as typeof original;
  });

  for (const name of ["bind", "connect"] as const) {
    patches.replace(prototype, name, (original) => {
      return function (this: Socket, ...args: never[]): Socket {
        attach(this);
        return (original as (...args: never[]) => Socket).apply(this, args);
      };
    });
  }

  // Who speaks first is seen here, also on sockets that were bound before.
  patches.replace(prototype, "emit", (original) => {
    return function emit(this: Socket, ...args: unknown[]): boolean {
      const from = args[0] === "message" ? (args[2] as Partial<RemoteInfo> | undefined) : undefined;
      const socket = typeof from?.address === "string" && typeof from.port === "number" ? attach(this) : undefined;
      if (socket === undefined) return (original as Method).apply(this, args) as boolean;
      const before = socket.hearing;
      socket.hearing = socket.heardFrom(from!.address!, from!.port!);
      try {
        return (original as Method).apply(this, args) as boolean;
      } finally {
        socket.hearing = before;
      }
    } as typeof original;
  });
}

function withCaller(doing: Doing, caller: object, run: () => void): void {
  const before = doing.caller;
  doing.caller = caller;
  try {
    run();
  } finally {
    doing.caller = before;
  }
}
