/** The connections of one client: a pool that all actors share, and one that no scope ever uses. */
import { within } from "./client.ts";
import type { At, Client, Session } from "./client.ts";
import type { Random } from "./random.ts";
import type { Tally } from "./tally.ts";

/** As long may a session take to close. */
const CLOSE_MS = 10_000;

export class Sessions {
  readonly client: Client;
  readonly at: At;
  readonly #tally: Tally;
  readonly #shared: Session[] = [];
  control!: Session;

  constructor(client: Client, port: number, tally: Tally) {
    this.client = client;
    this.at = { host: "127.0.0.1", port, connections: client.pooled ? client.connections : 1 };
    this.#tally = tally;
  }

  async open(): Promise<void> {
    this.control = await this.client.open({ ...this.at, connections: 2 });
    const count = this.client.pooled ? 1 : this.client.connections;
    for (let n = 0; n < count; n++) this.#shared.push(await this.client.open(this.at));
    // A pool connects when it is used.
    await Promise.all(this.#shared.flatMap((session) => Array.from({ length: this.at.connections }, () => session.use("first"))));
  }

  shared(random: Random): Session {
    return random.pick(this.#shared);
  }

  async close(): Promise<void> {
    await Promise.all([this.control, ...this.#shared].map((session) => this.end(session)));
  }

  /** As a program does; a session that cannot is destroyed, and that is a violation. */
  async end(session: Session): Promise<void> {
    try {
      await within(CLOSE_MS, Promise.resolve(session.close()));
    } catch (error) {
      this.#tally.violated(`${this.client.name}: a connection that was in order did not close`, error);
      await session.destroy();
    }
  }
}
