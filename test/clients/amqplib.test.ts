import { readFileSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import amqplib from "amqplib";
import type { ChannelModel, ConfirmChannel, RecoveringChannelModel } from "amqplib";
import { afterAll, expect } from "vitest";
import { startRabbitMq } from "../helpers/servers.ts";
import type { Server, Skipped } from "../helpers/servers.ts";
import { describeClient } from "./kit/matrix.ts";
import type { At } from "./kit/matrix.ts";

/** One for the whole file: it takes seconds to start. */
let server: Promise<Server | Skipped> | undefined;
const before = leftovers();

async function sharedServer(): Promise<{ readonly port: number; stop(): Promise<void> } | Skipped> {
  server ??= startRabbitMq();
  const running = await server;
  return running.skipped === undefined ? { port: running.port, stop: async () => {} } : running;
}

/** Erlang's processes, its port mapper among them, and the server's folders. */
function leftovers(): string[] {
  const folders = readdirSync(tmpdir()).filter((name) => name.startsWith("faultcore-rabbitmq-"));
  const processes = process.platform === "linux" ? readdirSync("/proc").filter((name) => /^\d+$/.test(name)) : [];
  return [...folders, ...processes.filter((id) => /^(epmd|beam)/.test(commandOf(id)))];
}

function commandOf(id: string): string {
  try {
    return readFileSync(`/proc/${id}/comm`, "utf8");
  } catch {
    return "";
  }
}

afterAll(async () => {
  const running = await server;
  if (running === undefined || running.skipped !== undefined) return;
  await running.stop();
  expect(leftovers()).toEqual(before);
});

/** Sends a message to a queue of its own, and gets it: three round trips. */
async function sendAndGet(channel: ConfirmChannel): Promise<void> {
  const { queue } = await channel.assertQueue("", { exclusive: true });
  channel.sendToQueue(queue, Buffer.from("hello"));
  await channel.waitForConfirms();
  const message = await channel.get(queue, { noAck: true });
  expect(message !== false && message.content.toString()).toBe("hello");
}

const placeOf = ({ host, port, quick = false }: At) => ({ hostname: host, port, heartbeat: quick ? 1 : 60 });
// Silence is noticed after two to three heartbeats, each of them at least a second.
const limitMs = 4_000;

/** A program that connects again when its connection was closed. */
class Program {
  readonly #at: At;
  #opened: Promise<{ readonly connection: ChannelModel; readonly channel: ConfirmChannel }> | undefined;

  constructor(at: At) {
    this.#at = at;
  }

  async channel(): Promise<ConfirmChannel> {
    this.#opened ??= this.#open();
    try {
      return (await this.#opened).channel;
    } catch (error) {
      this.#opened = undefined;
      throw error;
    }
  }

  async #open(): Promise<{ readonly connection: ChannelModel; readonly channel: ConfirmChannel }> {
    const connection = await amqplib.connect(placeOf(this.#at), { noDelay: true });
    connection.on("error", () => {});
    connection.on("close", () => (this.#opened = undefined));
    const channel = await connection.createConfirmChannel();
    channel.on("error", () => {});
    return { connection, channel };
  }

  async close(): Promise<void> {
    await (await this.#opened)?.connection.close();
  }
}

describeClient<Program>({
  name: "amqplib",
  start: sharedServer,
  open: (at) => new Program(at),
  use: async (program) => sendAndGet(await program.channel()),
  close: (program) => program.close(),
  multiplexed: true,
  limitMs,
});

describeClient<RecoveringChannelModel>({
  name: "amqplib, with recovery",
  start: sharedServer,
  open: async (at) => {
    const connection = await amqplib.connect(placeOf(at), { noDelay: true, recovery: { initialDelay: 50, factor: 1, jitter: 0 } });
    connection.on("error", () => {});
    return connection;
  },
  use: async (connection) => {
    const channel = await connection.createConfirmChannel();
    channel.on("error", () => {});
    await sendAndGet(channel);
    await channel.close();
  },
  close: (connection) => connection.close(),
  multiplexed: true,
  reconnects: true,
  limitMs,
});
