/** What the soak asks of a client, and what their operations have in common. */

/** How long a client waits for an answer before it gives up. */
export const OPERATION_MS = 6_000;

export interface At {
  readonly host: string;
  readonly port: number;
  /** How many connections a pool may have. */
  readonly connections: number;
}

/** A connection, or a pool of them. */
export interface Session {
  /** One operation: sends the text, and checks that it comes back. */
  use(text: string): Promise<void>;
  /** As a program does at its end. */
  close(): unknown;
  /** At once, whatever has become of the connection. */
  destroy(): unknown;
}

export interface Client {
  readonly name: string;
  /** Which of the servers. */
  readonly server: string;
  /**
   * Every operation has a connection to itself, and one that failed is not used again: faults that end a connection may act on a pool that others
   * use meanwhile.
   */
  readonly pooled: boolean;
  /** How many connections all actors share: of a pool, or as many sessions. */
  readonly connections: number;
  /** Its messages may be lost: a fault that costs others time costs it an answer. */
  readonly datagrams?: boolean;
  /** All sessions share one pool, which is the process's own. */
  readonly poolsAll?: boolean;
  /** What it says whatever has ended its connection. */
  readonly ended?: RegExp;
  open(at: At): Promise<Session> | Session;
}

export class WrongContent extends Error {
  constructor(sent: string, got: string) {
    super(`sent ${sent.length} characters (${sent.slice(0, 40)}…), got ${got.length} (${got.slice(0, 40)}…)`);
    this.name = "WrongContent";
  }
}

export function same(sent: string, got: unknown): void {
  if (got !== sent) throw new WrongContent(sent, String(got));
}

/**
 * What ends a connection, for the operations that are under way. A race against a promise that settles at the end would keep
 * each operation until then, with its scope.
 */
export class End {
  readonly #waiting = new Set<(error: unknown) => void>();
  #error: unknown;

  fail(error: unknown): void {
    this.#error ??= error;
    for (const reject of this.#waiting) reject(this.#error);
  }

  async orEnd<T>(promise: Promise<T>): Promise<T> {
    if (this.#error !== undefined) throw this.#error;
    let waiting: (error: unknown) => void = () => {};
    const ended = new Promise<never>((_resolve, reject) => this.#waiting.add((waiting = reject)));
    try {
      return await Promise.race([promise, ended]);
    } finally {
      this.#waiting.delete(waiting);
    }
  }
}

export const closedError = (): Error => Object.assign(new Error("closed"), { code: "SOAK_CLOSED" });

/** Where a client has no limit of its own. */
export class TooLate extends Error {
  readonly code = "SOAK_TOO_LATE";
}

export async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new TooLate(`nothing within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, limit]);
  } finally {
    clearTimeout(timer);
  }
}
