/** Listens and dials with Node's TCP handles. */
import { errnoOf } from "../../internal/errnos.ts";
import type { SocketName } from "../../internal/tcp-handle.ts";
import { Courtesy } from "./courtesy.ts";
import type { Landing } from "./landing.ts";
import { NativeSocket } from "./native-socket.ts";
import type { NativeTcp, TcpHandle } from "./native-tcp.ts";
import type { Destination, Dialler, Network, RelaySocket } from "./socket.ts";
import { BACKLOG } from "./socket.ts";

const EADDRINUSE = errnoOf("EADDRINUSE");

export class NativeNetwork implements Network {
  readonly #tcp: NativeTcp;
  readonly #landing: Landing;
  readonly #courtesy: Courtesy;
  #server: TcpHandle | undefined;

  constructor(tcp: NativeTcp, landing: Landing, courtesy: Courtesy = new Courtesy()) {
    this.#tcp = tcp;
    this.#landing = landing;
    this.#courtesy = courtesy;
  }

  listen(accept: (socket: RelaySocket, remotePort: number | undefined) => void, ready: (port: number) => void): void {
    const server = this.#tcp.server();
    server.onconnection = (status, client) => {
      // Where descriptors have run out, the kernel's queue is emptied without us: `missing-legs.ts`.
      if (status !== 0 || client === undefined) return;
      const name: SocketName = {};
      client.getpeername(name);
      accept(this.#socket(client, true), name.port);
    };
    this.#server = server;
    const name: SocketName = {};
    const isListening = server.bind("127.0.0.1", 0) === 0 && server.listen(BACKLOG) === 0 && server.getsockname(name) === 0;
    ready(isListening ? (name.port ?? -1) : -1);
  }

  dial(to: Destination, dialler: Dialler): RelaySocket {
    const handle = this.#tcp.socket();
    const socket = this.#socket(handle, false);
    const fail = (errno: number, unconnected: string | undefined): void => {
      if (socket.destroyed) return;
      socket.destroy();
      dialler.failed(errno, unconnected);
    };
    const done = (status: number): void => {
      if (status !== 0) fail(status, undefined);
      else if (!socket.destroyed) {
        socket.opened();
        dialler.connected();
      }
    };
    const bindErrno = bind(handle, to);
    if (bindErrno !== 0) {
      process.nextTick(fail, bindErrno, undefined);
      return socket;
    }
    const errno = this.#tcp.connect(handle, to.family, to.address, to.port, done);
    if (errno !== 0) {
      const name: SocketName = {};
      handle.getsockname(name);
      process.nextTick(fail, errno, `${name.address}:${name.port}`);
    }
    return socket;
  }

  #socket(handle: TcpHandle, connected: boolean): NativeSocket {
    return new NativeSocket({ tcp: this.#tcp, handle, landing: this.#landing, courtesy: this.#courtesy, connected });
  }

  close(): void {
    this.#server?.close();
    this.#server = undefined;
  }
}

function bind(handle: TcpHandle, { family, localAddress, localPort = 0 }: Destination): number {
  if (localAddress === undefined && localPort === 0) return 0;
  const errno = family === 6 ? handle.bind6(localAddress ?? "::", localPort, 0) : handle.bind(localAddress ?? "0.0.0.0", localPort);
  if (errno !== 0 || localPort === 0) return errno;
  // libuv reports an address in use only when the socket is looked at.
  const name: SocketName = {};
  return handle.getsockname(name) || (name.port === localPort ? 0 : EADDRINUSE);
}
