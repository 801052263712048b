import { randomUUID } from "node:crypto";
import { once } from "node:events";
import type { EventEmitter } from "node:events";
import type { Socket } from "node:net";
import amqplib from "amqplib";
import mqtt from "mqtt";
import { connect, createInbox } from "nats";
import { End, OPERATION_MS, closedError, same, within } from "../client.ts";
import type { Client } from "../client.ts";

/** Messages that come back by themselves, each for whoever sent it. */
class Returned {
  readonly #waiting = new Map<string, (text: string) => void>();

  arrived(message: string): void {
    const at = message.indexOf(" ");
    this.#waiting.get(message.slice(0, at))?.(message.slice(at + 1));
  }

  /** `send` is given the text with an address. */
  async send(text: string, send: (message: string) => Promise<unknown>): Promise<string> {
    const id = randomUUID();
    const answer = new Promise<string>((resolve) => this.#waiting.set(id, resolve));
    try {
      const [got] = await within(OPERATION_MS, Promise.all([answer, send(`${id} ${text}`)]));
      return got;
    } finally {
      this.#waiting.delete(id);
    }
  }
}

const rabbit: Client = {
  name: "amqplib",
  server: "rabbitmq",
  pooled: false,
  ended: /channel closed/,
  connections: 8,
  open: async ({ host, port }) => {
    const connection = await amqplib.connect({ hostname: host, port, heartbeat: 10 }, { noDelay: true, timeout: OPERATION_MS });
    const { stream } = (connection as unknown as { connection: { stream: Socket } }).connection;
    connection.on("error", () => {});
    const returned = new Returned();
    const prepare = async (): Promise<{ channel: amqplib.ConfirmChannel; queue: string }> => {
      const channel = await connection.createConfirmChannel();
      channel.on("error", () => {});
      const { queue } = await channel.assertQueue("", { exclusive: true });
      await channel.consume(queue, (message) => message !== null && returned.arrived(String(message.content)), { noAck: true });
      return { channel, queue };
    };
    const { channel, queue } = await within(OPERATION_MS, prepare()).catch((error: unknown) => {
      stream.destroy(new Error("given up"));
      throw error;
    });
    const publish = (message: string): Promise<void> =>
      new Promise((resolve, reject) => {
        channel.sendToQueue(queue, Buffer.from(message), {}, (error: Error | null) => (error === null ? resolve() : reject(error)));
      });
    return {
      use: async (text) => same(text, await returned.send(text, publish)),
      close: () => connection.close(),
      // Without an error it does not notice, and its heartbeats go on for half a minute.
      destroy: () => stream.destroy(new Error("given up")),
    };
  },
};

const mosquitto: Client = {
  name: "mqtt",
  server: "mosquitto",
  pooled: false,
  ended: /SOAK_CLOSED/,
  connections: 8,
  open: async ({ host, port }) => {
    const clientId = randomUUID();
    const client = mqtt.connect({
      host,
      port,
      protocolVersion: 5,
      clientId,
      keepalive: 10,
      reconnectPeriod: 0,
      connectTimeout: OPERATION_MS,
    });
    const returned = new Returned();
    client.on("message", (_topic, payload) => returned.arrived(payload.toString()));
    const end = new End();
    client.on("error", (error) => end.fail(error));
    client.on("close", () => end.fail(closedError()));
    const connected = end.orEnd(once(client as unknown as EventEmitter, "connect"));
    const topic = `soak/${clientId}`;
    await within(
      OPERATION_MS,
      connected.then(() => client.subscribeAsync(topic, { qos: 1 })),
    ).catch((error: unknown) => {
      client.end(true);
      throw error;
    });
    return {
      use: async (text) => same(text, await returned.send(text, (message) => end.orEnd(client.publishAsync(topic, message, { qos: 1 })))),
      close: () => client.endAsync(),
      destroy: () => client.end(true),
    };
  },
};

const nats: Client = {
  name: "nats",
  server: "nats",
  pooled: false,
  // A request whose connection has gone.
  ended: /TIMEOUT/,
  connections: 8,
  open: async ({ host, port }) => {
    const connection = await connect({
      servers: `${host}:${port}`,
      resolve: false,
      reconnect: false,
      timeout: OPERATION_MS,
      pingInterval: 5_000,
    });
    const subject = createInbox();
    connection.subscribe(subject, { callback: (_error, message) => message.respond(message.data) });
    return {
      use: async (text) => same(text, (await connection.request(subject, text, { timeout: OPERATION_MS })).string()),
      close: () => connection.close(),
      destroy: () => connection.close(),
    };
  },
};

export const brokerClients: readonly Client[] = [rabbit, mosquitto, nats];
