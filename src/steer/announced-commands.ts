/**
 * Clients that write the commands of several callers in one go, in the context of the first of them, and say on one of Node's tracing
 * channels who gives which: node-redis. A write that begins a command belongs to whoever gave the oldest one of that name to that client.
 */
import type { Patches } from "./patches.ts";
import type { Caller, Router } from "./router.ts";

const CHANNEL = "tracing:node-redis:command";
/** How a command begins on the wire: the number of its parts, the length of the first one, and that one, its name. */
const COMMAND = /^\*\d+\r\n\$\d+\r\n([^\r]+)\r\n/;

/** What the channel says of a command. */
interface Message {
  readonly command: string;
  readonly clientId: string;
}

/** Commands of a client that have not been written, in the order in which they were given. */
type Queue = Map<Message, Caller>;

/** A socket of such a client. */
interface Sender {
  readonly client: string;
  /** Whose command is being written: it may take several writes. */
  caller: Caller | undefined;
}

export class AnnouncedCommands {
  readonly #router: Router;
  readonly #queues = new Map<string, Queue>();
  /** Commands without an answer. */
  readonly #unsettled = new Set<unknown>();
  readonly #senders = new WeakMap<object, Sender>();

  constructor(patches: Patches, router: Router) {
    this.#router = router;
    // Also while there is no scope: who is in the queue is known by the order only.
    const listeners = { start: this.#given, asyncStart: this.#settled, error: this.#settled };
    for (const [step, listener] of Object.entries(listeners)) patches.listen(`${CHANNEL}:${step}`, listener);
    patches.add(() => {
      this.#queues.clear();
      this.#unsettled.clear();
    });
  }

  /** Whether any command may be being written: else there is nothing to be asked. */
  get any(): boolean {
    return this.#unsettled.size > 0;
  }

  readonly #given = (message: unknown): void => {
    const { clientId } = message as Message;
    let queue = this.#queues.get(clientId);
    if (queue === undefined) this.#queues.set(clientId, (queue = new Map()));
    queue.set(message as Message, this.#router.caller());
    this.#unsettled.add(message);
  };

  /** Over, perhaps without having been written. */
  readonly #settled = (message: unknown): void => {
    this.#unsettled.delete(message);
    this.#take(message as Message);
  };

  #take(message: Message): Caller | undefined {
    const queue = this.#queues.get(message.clientId);
    const caller = queue?.get(message);
    if (queue?.delete(message) === true && queue.size === 0) this.#queues.delete(message.clientId);
    return caller;
  }

  /** Whose command is written here; undefined: nobody has announced that. */
  callerOf(socket: object, chunk: unknown): Caller | undefined {
    const sender = this.#senders.get(socket);
    const name = typeof chunk === "string" ? COMMAND.exec(chunk)?.[1]?.toUpperCase() : undefined;
    if (name === undefined) return sender?.caller;
    const message = sender === undefined ? this.#findAny(name) : this.#find(name, sender.client);
    const caller = message && this.#take(message);
    if (sender !== undefined) sender.caller = caller;
    else if (message !== undefined) this.#senders.set(socket, { client: message.clientId, caller });
    return caller;
  }

  /** What is written without having been announced (a handshake, a subscription) is not in the queue. */
  #find(name: string, client: string): Message | undefined {
    for (const message of this.#queues.get(client)?.keys() ?? []) if (message.command === name) return message;
    return undefined;
  }

  /** It is not known yet which client the socket belongs to: only if there is no choice. */
  #findAny(name: string): Message | undefined {
    let found: Message | undefined;
    for (const queue of this.#queues.values()) {
      const [first] = queue.keys();
      if (first?.command !== name) continue;
      if (found !== undefined) return undefined;
      found = first;
    }
    return found;
  }
}
