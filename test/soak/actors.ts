/**
 * Who makes the load. Actors of one kind use a client with and without faults, one operation after the other; those of the other kind
 * (`control`) never meet one, and say how long their operations take.
 */
import { setTimeout as delay } from "node:timers/promises";
import { within } from "./client.ts";
import type { Session } from "./client.ts";
import { kindOf } from "./expected.ts";
import { DELAYS, ENDS, LOOKUPS } from "./faults.ts";
import type { Fault } from "./faults.ts";
import type { Random } from "./random.ts";
import { applied } from "./scopes.ts";
import type { Sessions } from "./sessions.ts";
import { Sockets, collecting } from "./sockets.ts";
import type { Tally } from "./tally.ts";

/** An operation that takes longer never ends: clients give up long before. */
const NEVER_MS = 60_000;
/** Not all at once. */
const START_MS = 3_000;
/** What loses a datagram does so for everybody who uses the socket. */
const HARMLESS = DELAYS.filter(({ may }) => may.length === 0);
const PROMPT = ENDS.filter(({ lingers }) => lingers !== true);

export class Actor {
  readonly #random: Random;
  readonly #tally: Tally;
  readonly #sessions: Sessions;
  readonly #signal: AbortSignal;
  /** A session of its own, for faults that end it. */
  #own: Session | undefined;
  #sockets = new Sockets();

  constructor(random: Random, tally: Tally, sessions: Sessions, signal: AbortSignal) {
    this.#random = random;
    this.#tally = tally;
    this.#sessions = sessions;
    this.#signal = signal;
  }

  async control(): Promise<void> {
    await this.#pause(0, START_MS);
    while (!this.#signal.aborted) {
      const began = performance.now();
      await this.#undisturbed("control", () => this.#sessions.control.use(this.#random.text()));
      this.#tally.control(this.#sessions.client.name, performance.now() - began);
      await this.#pause(150, 350);
    }
  }

  async run(): Promise<void> {
    await this.#pause(0, START_MS);
    while (!this.#signal.aborted) {
      await this.#operation();
      await this.#pause(100, 1_400);
    }
    if (this.#own !== undefined) await this.#sessions.end(this.#own);
  }

  async #operation(): Promise<void> {
    const [random, { client }] = [this.#random, this.#sessions];
    const shared = this.#sessions.shared(random);
    const dice = random.next();
    const use = (): Promise<void> => shared.use(random.text());
    if (dice < 0.3) await this.#undisturbed("none, shared", use);
    else if (dice < 0.65) await this.#faulted(random.pick(client.datagrams === true ? HARMLESS : DELAYS), use, client.pooled);
    else if (dice < 0.75 && client.pooled) await this.#faulted(random.pick(PROMPT), use);
    else if (dice < 0.9) await this.#onOwn(random.pick(random.chance(0.7) ? (client.poolsAll === true ? PROMPT : ENDS) : DELAYS));
    else await this.#fresh(random.pick(random.chance(0.4) ? LOOKUPS : random.chance(0.5) ? ENDS : DELAYS));
  }

  /** On a connection that was open before, and is this actor's alone: it is thrown away when the fault has ended it. */
  async #onOwn(fault: Fault): Promise<void> {
    const { client, at } = this.#sessions;
    let session: Session | undefined;
    await this.#undisturbed("none, connect", () =>
      collecting(client.poolsAll === true ? undefined : this.#sockets, async () => {
        session = this.#own ?? (await client.open({ ...at, connections: 1 }));
        await session.use("before");
      }),
    );
    if (session === undefined) return;
    const [own, text] = [session, this.#random.text()];
    this.#own = undefined;
    const use = (): Promise<void> => collecting(client.poolsAll === true ? undefined : this.#sockets, () => own.use(text));
    if ((await this.#faulted(fault, use, client.name === "TCP")) && DELAYS.includes(fault)) this.#own = own;
    else {
      await own.destroy();
      this.#sockets.destroy();
      this.#sockets = new Sockets();
    }
  }

  /** Connects in the scope, by name, and closes in it. */
  async #fresh(fault: Fault): Promise<void> {
    const { client, at } = this.#sessions;
    const text = this.#random.text();
    const sockets = new Sockets();
    const connect = async (): Promise<void> => {
      const session = await client.open({ ...at, host: "localhost", connections: 1 });
      try {
        await session.use(text);
      } finally {
        await session.destroy();
      }
    };
    await this.#faulted(fault, () => collecting(client.poolsAll === true ? undefined : sockets, connect));
    sockets.destroy();
  }

  /** No fault acts here. */
  async #undisturbed(name: string, work: () => Promise<void>): Promise<void> {
    const { client } = this.#sessions;
    try {
      await within(NEVER_MS, work());
      this.#tally.ended(client.name, name, "ok");
    } catch (error) {
      this.#tally.violated(`${client.name}, without a fault (${name})`, error);
    }
  }

  /** True: it succeeded. `alone`: nobody else uses the connection at the same time. */
  async #faulted(fault: Fault, work: () => Promise<void>, alone = false): Promise<boolean> {
    const { client } = this.#sessions;
    const text = this.#random.text();
    const aside = (): Promise<void> =>
      collecting(undefined, () => this.#undisturbed("none, shielded", () => this.#sessions.shared(this.#random).use(text)));
    let tookMs = 0;
    const timed = async (): Promise<void> => {
      const began = performance.now();
      await work();
      tookMs = performance.now() - began;
    };
    try {
      await within(NEVER_MS, applied(this.#random, fault, timed, aside));
      this.#tally.ended(client.name, fault.name, "ok");
      if (alone && client.name !== "dns" && fault.leastMs !== undefined) this.#early(fault, tookMs - fault.leastMs);
      return true;
    } catch (error) {
      const kind = kindOf(error, fault.may, client.ended);
      if (kind === undefined) this.#tally.violated(`${client.name}, ${fault.name}: an error that it does not make`, error);
      else this.#tally.ended(client.name, fault.name, kind);
      return false;
    }
  }

  #early(fault: Fault, slackMs: number): void {
    this.#tally.leastSlackMs = Math.min(this.#tally.leastSlackMs, slackMs);
    if (slackMs < 0) this.#tally.violated(`${this.#sessions.client.name}, ${fault.name}: ${-slackMs} ms too early`);
  }

  async #pause(leastMs: number, mostMs: number): Promise<void> {
    await delay(this.#random.between(leastMs, mostMs), undefined, { signal: this.#signal }).catch(() => {});
  }
}
