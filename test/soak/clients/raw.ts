import dgram from "node:dgram";
import dns from "node:dns/promises";
import { once } from "node:events";
import net from "node:net";
import { End, OPERATION_MS, closedError, same, within } from "../client.ts";
import type { Client } from "../client.ts";

const tcp: Client = {
  name: "TCP",
  server: "echo",
  pooled: false,
  connections: 100,
  open: async ({ host, port }) => {
    const socket = net.connect({ host, port, noDelay: true });
    socket.setEncoding("latin1");
    const end = new End();
    socket.on("error", (error) => end.fail(error));
    socket.on("close", () => end.fail(closedError()));
    let read = "";
    let wanted: { length: number; resolve: (text: string) => void } | undefined;
    socket.on("data", (chunk: string) => {
      read += chunk;
      if (wanted === undefined || read.length < wanted.length) return;
      wanted.resolve(read.slice(0, wanted.length));
      read = read.slice(wanted.length);
      wanted = undefined;
    });
    await within(OPERATION_MS, end.orEnd(once(socket, "connect"))).catch((error: unknown) => {
      socket.destroy();
      throw error;
    });
    // Operations take turns: what comes back belongs to the only one that is on its way.
    let turn: Promise<unknown> = Promise.resolve();
    const exchange = async (text: string): Promise<string> => {
      const answer = new Promise<string>((resolve) => (wanted = { length: text.length, resolve }));
      socket.write(text, "latin1");
      return await within(OPERATION_MS, end.orEnd(answer));
    };
    return {
      use: async (text) => {
        const mine = turn.then(() => exchange(text));
        turn = mine.catch(() => {});
        same(text, await mine);
      },
      close: async () => {
        const closed = socket.closed ? undefined : once(socket, "close");
        socket.end();
        await closed;
      },
      destroy: () => socket.destroy(),
    };
  },
};

const udp: Client = {
  name: "UDP",
  server: "udp",
  pooled: false,
  datagrams: true,
  ended: /SOAK_TOO_LATE/,
  connections: 16,
  open: async ({ port }) => {
    const socket = dgram.createSocket("udp4");
    const waiting = new Map<string, (text: string) => void>();
    socket.on("error", () => {});
    socket.on("message", (bytes) => {
      const message = bytes.toString("latin1");
      waiting.get(message.slice(0, 8))?.(message.slice(8));
    });
    socket.bind(0, "127.0.0.1");
    await once(socket, "listening");
    let count = 0;
    return {
      use: async (text) => {
        const id = String(count++).padStart(8, "0");
        const sent = text.slice(0, 1_000);
        const answer = new Promise<string>((resolve) => waiting.set(id, resolve));
        try {
          socket.send(Buffer.from(id + sent, "latin1"), port, "127.0.0.1");
          same(sent, await within(OPERATION_MS, answer));
        } finally {
          waiting.delete(id);
        }
      },
      close: () => new Promise<void>((resolve) => socket.close(resolve)),
      destroy: () => socket.close(),
    };
  },
};

const lookups: Client = {
  name: "dns",
  server: "dns",
  pooled: true,
  connections: 1,
  open: ({ port }) => {
    const resolver = new dns.Resolver({ timeout: OPERATION_MS / 2, tries: 2 });
    resolver.setServers([`127.0.0.1:${port}`]);
    return {
      use: async () => {
        const [resolved, looked] = await Promise.all([resolver.resolve4("soak.test"), dns.lookup("localhost", { family: 4 })]);
        same("127.0.0.1 127.0.0.1", `${resolved.join()} ${looked.address}`);
      },
      close: () => {},
      destroy: () => resolver.cancel(),
    };
  },
};

export const rawClients: readonly Client[] = [tcp, udp, lookups];
