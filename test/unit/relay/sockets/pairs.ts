/** Sockets of the relay with somebody at the other end, over Node's handles and over `node:net`. */
import { once } from "node:events";
import { connect, createServer } from "node:net";
import type { Socket } from "node:net";
import { onTestFinished } from "vitest";
import type { End } from "../../../../src/relay/sockets/end.ts";
import { codeOf } from "../../../../src/internal/errnos.ts";
import { Landing } from "../../../../src/relay/sockets/landing.ts";
import { NativeNetwork } from "../../../../src/relay/sockets/native-network.ts";
import { findNativeTcp } from "../../../../src/relay/sockets/native-tcp.ts";
import type { NativeTcp } from "../../../../src/relay/sockets/native-tcp.ts";
import { NodeNetwork } from "../../../../src/relay/sockets/node-network.ts";
import type { Destination, Network, RelaySocket, SocketOwner } from "../../../../src/relay/sockets/socket.ts";

/** Notes what a socket tells its owner. */
export class Notes implements SocketOwner {
  readonly chunks: Buffer[] = [];
  readonly ends: End[] = [];
  drains = 0;
  isClosed = false;
  onDrain = (): void => {};
  #seen: (() => void)[] = [];

  received(_socket: RelaySocket, chunk: Buffer): void {
    this.chunks.push(Buffer.from(chunk));
    this.#tell();
  }
  ended(_socket: RelaySocket, end: End): void {
    this.ends.push(end);
    this.#tell();
  }
  drained(): void {
    this.drains++;
    this.onDrain();
    this.#tell();
  }
  closed(): void {
    if (this.isClosed) throw new Error("closed twice");
    this.isClosed = true;
    this.#tell();
  }
  get bytes(): Buffer {
    return Buffer.concat(this.chunks);
  }
  get text(): string {
    return this.bytes.toString();
  }
  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#seen.push(resolve));
  }
  #tell(): void {
    for (const seen of this.#seen.splice(0)) seen();
  }
}

export interface Pair<N extends Notes = Notes> {
  readonly socket: RelaySocket;
  readonly notes: N;
  readonly far: Socket;
}

export function nativeTcp(): NativeTcp {
  const tcp = findNativeTcp();
  if (tcp === undefined) throw new Error(`Node ${process.version} should be known`);
  return tcp;
}

export const networks: [string, () => Network][] = [
  ["Node's handles", () => new NativeNetwork(nativeTcp(), new Landing())],
  ["node:net", () => new NodeNetwork()],
];

export function to(port: number, more: Partial<Destination> = {}): Destination {
  return { address: "127.0.0.1", port, family: 4, localAddress: undefined, localPort: undefined, ...more };
}

/** A port that nobody listens on. */
export async function closedPort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, "close");
  return port;
}

/** A network that takes no connections any more when the test is over. */
export function openNetwork(open: () => Network): Network {
  const network = open();
  onTestFinished(() => network.close());
  return network;
}

/** A socket that was dialled, and what it reached, which does not read yet. */
export async function dial<N extends Notes = Notes>(
  network: Network,
  more: Partial<Destination> = {},
  notes: N = new Notes() as N,
): Promise<Pair<N>> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const arrival = once(server, "connection") as Promise<[Socket]>;
  const socket = await new Promise<RelaySocket>((resolve, reject) => {
    const made = network.dial(to((server.address() as { port: number }).port, more), {
      connected: () => resolve(made),
      failed: (errno) => reject(new Error(codeOf(errno))),
    });
    made.owner = notes;
  });
  const [far] = await arrival;
  server.close();
  return watched({ socket, notes, far });
}

/** A socket that was accepted, and what reached it. `port`: where it says that it comes from. */
export async function accept(network: Network): Promise<Pair & { readonly port: number | undefined }> {
  const notes = new Notes();
  let arrive: (socket: RelaySocket, port: number | undefined) => void = () => {};
  const listening = await new Promise<number>((ready) => network.listen((socket, port) => arrive(socket, port), ready));
  const arrival = new Promise<{ socket: RelaySocket; port: number | undefined }>((resolve) => {
    arrive = (socket, port) => {
      socket.owner = notes;
      resolve({ socket, port });
    };
  });
  const far = connect({ port: listening, host: "127.0.0.1", allowHalfOpen: true });
  const { socket, port } = await arrival;
  return { ...watched({ socket, notes, far }), port };
}

function watched<N extends Notes>(pair: Pair<N>): Pair<N> {
  pair.far.on("error", () => {});
  onTestFinished(async () => {
    pair.far.destroy();
    pair.socket.destroy();
    await pair.notes.until(() => pair.notes.isClosed);
  });
  return pair;
}
