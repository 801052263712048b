/**
 * Clients that write the commands of several callers in one go, in the context of the first of them, and say on one of Node's tracing
 * channels who gives which: node-redis. A write that begins a command belongs to whoever gave the oldest one of that name to that client.
 *
 * Listening makes such clients slower, so it is done only while there are scopes.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Caller, Router } from "./router.ts";

const CHANNEL = "tracing:node-redis:command";
/** How a command begins on the wire: the number of its parts, the length of the first one, and that one, its name. */
const COMMAND = /^\*\d+\r\n\$\d+\r\n([^\r]+)\r\n/;

/** What the channel says of a command. */
interface Message {
  readonly command: string;
  readonly clientId?: string;
}

/** A socket of such a client. */
interface Sender {
  client: string;
  /** Whose command is being written: it may take several writes. */
  caller: Caller | undefined;
}

export class AnnouncedCommands {
  readonly #router: Router;
  readonly #callers = new Map<Message, Caller>();
  readonly #senders = new WeakMap<object, Sender>();
  #listening = false;

  constructor(router: Router) {
    this.#router = router;
  }

  /** Begins to listen; repeating it does nothing. */
  listen(): void {
    if (this.#listening) return;
    this.#listening = true;
    subscribe(`${CHANNEL}:start`, this.#given);
    subscribe(`${CHANNEL}:asyncStart`, this.#settled);
  }

  stop(): void {
    if (!this.#listening) return;
    this.#listening = false;
    unsubscribe(`${CHANNEL}:start`, this.#given);
    unsubscribe(`${CHANNEL}:asyncStart`, this.#settled);
    this.#callers.clear();
  }

  readonly #given = (message: unknown): void => {
    this.#callers.set(message as Message, this.#router.caller());
  };

  /** Over, perhaps without having been written. */
  readonly #settled = (message: unknown): void => {
    this.#callers.delete(message as Message);
  };

  /** Whose command is written here; undefined: nobody has announced that. */
  callerOf(socket: object, chunk: unknown): Caller | undefined {
    if (!this.#listening) return undefined;
    const sender = this.#senders.get(socket);
    if (sender === undefined && this.#callers.size === 0) return undefined;
    const name = typeof chunk === "string" ? COMMAND.exec(chunk)?.[1] : undefined;
    if (name === undefined) return sender?.caller;
    const message = this.#find(name.toUpperCase(), sender?.client);
    const caller = message && this.#callers.get(message);
    if (sender !== undefined) sender.caller = caller;
    if (message === undefined) return undefined;
    this.#callers.delete(message);
    if (sender === undefined) this.#senders.set(socket, { client: message.clientId ?? "", caller });
    return caller;
  }

  /** The oldest command of that name; where it is not known which client writes, only if there is no choice. */
  #find(name: string, client: string | undefined): Message | undefined {
    let found: Message | undefined;
    for (const message of this.#callers.keys()) {
      if (message.command !== name) continue;
      if (client !== undefined && message.clientId === client) return message;
      if (client === undefined && found !== undefined && found.clientId !== message.clientId) return undefined;
      found ??= message;
    }
    return client === undefined ? found : undefined;
  }
}
