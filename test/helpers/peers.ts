/** Loopback servers of tests: each on a free port, and gone, with all its connections, at the end of the block (`await using`). */
import { once } from "node:events";
import net from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";

export interface Peer extends AsyncDisposable {
  readonly port: number;
  readonly sockets: ReadonlySet<Socket>;
  /** Connections that were accepted so far. */
  accepted(): number;
}

/** Listens with any server that has net.Server's events. */
export async function listen(server: Server): Promise<Peer> {
  const sockets = new Set<Socket>();
  let accepted = 0;
  server.on("connection", (socket: Socket) => {
    accepted++;
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  server.listen({ port: 0, host: "127.0.0.1", backlog: 4096 });
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    sockets,
    accepted: () => accepted,
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

export function serve(handle: (socket: Socket) => void, options: net.ServerOpts = {}): Promise<Peer> {
  return listen(net.createServer(options, handle));
}

export function echo(): Promise<Peer> {
  return serve((socket) => socket.pipe(socket));
}

/** Writes a block again and again, for as long as the other side reads. */
export function pour(socket: Socket, block: Buffer): void {
  const write = (): void => {
    while (!socket.destroyed && socket.write(block));
  };
  socket.on("drain", write);
  write();
}
