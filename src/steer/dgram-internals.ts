/**
 * The parts of `dgram` that no documented API names: the handle of a socket and the state that it hangs on. Checked on Node 20, 22, 24
 * and 26; `findDgramState` says clearly when a future version has none of it.
 */
import dgram from "node:dgram";
import type { RemoteInfo, Socket } from "node:dgram";
import { SocketAddress } from "node:net";
import type { SocketName } from "../internal/tcp-handle.ts";
import { FaultcoreError } from "../errors.ts";
import { symbolNamed } from "../internal/symbols.ts";

export interface SendRequest {
  list?: readonly Uint8Array[];
}

export type LookupCallback = (error: Error | null | undefined, address: string, family?: number) => void;
export type OnMessage = (this: UdpHandle, nread: number, handle: UdpHandle, bytes: Buffer | undefined, from: RemoteInfo) => void;

/** A native UDP handle. `send`, `connect` and `bind` of a udp6 socket's handle are those for IPv6. */
export interface UdpHandle {
  /** More than 0: sent, the bytes and one. 0: later, with `oncomplete`. Less: the negative errno. */
  send(request: SendRequest, list: readonly ArrayBufferView[], count: number, ...rest: SendRest): number;
  lookup(address: string | undefined, callback: LookupCallback): void;
  connect(address: string, port: number): number;
  disconnect(): number;
  bind(address: string, port: number, flags: number): number;
  setBroadcast(on: number): number;
  getsockname(out: SocketName): number;
  getpeername(out: SocketName): number;
  close(callback?: () => void): void;
  onmessage?: OnMessage | undefined;
}

/** Connected: whether there is a callback. Else port, address, and whether there is one. */
export type SendRest = [hasCallback: boolean] | [port: number, address: string, hasCallback: boolean];

/** What a socket keeps under its state symbol. */
export interface SocketState {
  handle: UdpHandle | null;
  /** Calls that wait until the socket is bound. */
  queue: (() => void)[] | undefined;
}

/** The symbol under which a socket keeps its state. Nothing is opened: a handle gets its descriptor when it is bound. */
export function findDgramState(): symbol {
  const probe = dgram.createSocket("udp4");
  try {
    const symbol = symbolNamed(probe, "state symbol");
    const state = symbol && (probe as unknown as Record<symbol, SocketState | undefined>)[symbol];
    if (symbol !== undefined && typeof state?.handle?.send === "function" && typeof state.handle.lookup === "function") return symbol;
  } finally {
    probe.close();
  }
  throw new FaultcoreError(
    "ERR_FAULTCORE_INVALID_USE",
    `Datagrams cannot be steered in this process (Node ${process.version}): dgram.Socket has not the handle that faultcore knows. ` +
      "Another tool may have replaced it: import faultcore first.",
    { expected: "Node 20.19 or later with an unpatched dgram.Socket" },
  );
}

export function stateOf(socket: Socket, symbol: symbol): SocketState | undefined {
  return (socket as unknown as Record<symbol, SocketState | undefined>)[symbol];
}

const canonical = new Map<string, string>();
const MAX_CANONICAL = 1024;

/** An address as Node shows it in `rinfo`, where what is sent to it is answered from: the unspecified address means this machine. */
export function canonicalAddress(address: string): string {
  if (!address.includes(":")) return address === "0.0.0.0" ? "127.0.0.1" : address;
  const known = canonical.get(address);
  if (known !== undefined) return known;
  if (canonical.size >= MAX_CANONICAL) canonical.clear();
  const shown = showIpv6(address);
  canonical.set(address, shown);
  return shown;
}

function showIpv6(address: string): string {
  const [bare = "", zone] = address.split("%");
  try {
    const shown = new SocketAddress({ address: bare, family: "ipv6" }).address;
    if (shown === "::") return "::1";
    return zone === undefined ? shown : `${shown}%${zone}`;
  } catch {
    return address;
  }
}
