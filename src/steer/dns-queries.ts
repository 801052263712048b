/**
 * Queries of Node's DNS client: `dns.resolve…` and the methods of resolvers, with callbacks and with promises. All of them go through the
 * methods of a channel, which are patched; the functions above them stay as they are.
 */
import { AsyncResource } from "node:async_hooks";
import { isIP } from "node:net";
import { setImmediate } from "node:timers";
import type { ChannelHandle, QueryRequest } from "./dns-internals.ts";
import { raise } from "./lookup-request.ts";
import type { Complete } from "./lookup-request.ts";
import type { Patches } from "./patches.ts";
import type { Lookup, LookupFate, Router } from "./router.ts";

const TYPE = "QUERYWRAP";
const CANCELLED = "ECANCELLED";

type Send = ChannelHandle["queryA"];

export function patchQueries(patches: Patches, router: Router, prototype: ChannelHandle): void {
  /** What `cancel` of a channel has to end besides its real queries. */
  const waits = new WeakMap<ChannelHandle, Set<() => void>>();
  const waitsOf = (channel: ChannelHandle): Set<() => void> => {
    let set = waits.get(channel);
    if (set === undefined) waits.set(channel, (set = new Set()));
    return set;
  };
  // Not `getHostByAddr`: that looks an address up.
  const names = Object.getOwnPropertyNames(prototype).filter((name) => name.startsWith("query"));
  for (const name of names as "queryA"[]) {
    patches.replace(prototype, name, (original) => {
      return function (this: ChannelHandle, request: QueryRequest, wireName: string): number {
        const { hostname } = request;
        // The DNS client answers addresses by itself.
        if (typeof hostname !== "string" || isIP(hostname) !== 0) return original.call(this, request, wireName);
        const send = (): number => original.call(this, request, wireName);
        return new Query(request, send, router.lookup(hostname, "resolver"), waitsOf(this)).start();
      } satisfies Send;
    });
  }
  patches.replace(prototype, "cancel", (original) => {
    return function (this: ChannelHandle): void {
      original.call(this);
      for (const cancel of waits.get(this) ?? []) cancel();
    };
  });
}

class Query {
  readonly #request: QueryRequest;
  readonly #send: () => number;
  readonly #lookup: Lookup;
  readonly #waits: Set<() => void>;
  readonly #complete: Complete;

  constructor(request: QueryRequest, send: () => number, lookup: Lookup, waits: Set<() => void>) {
    this.#request = request;
    this.#send = send;
    this.#lookup = lookup;
    this.#waits = waits;
    this.#complete = request.oncomplete as Complete;
  }

  /** Returns what the native call returns: 0, or why the query cannot be made. */
  start(): number {
    const { fate } = this.#lookup;
    if (fate?.fails === true) {
      this.#failLater(fate);
      return 0;
    }
    this.#request.oncomplete = (...answer: unknown[]): void => {
      // What the program cancels ends at once.
      if (fate === undefined || answer[0] === CANCELLED) this.#answered(answer);
      else this.#hold(fate, answer);
    };
    const refused = this.#send();
    if (refused !== 0) fate?.cancel();
    return refused;
  }

  #answered(answer: unknown[]): void {
    const [error, records] = answer;
    this.#lookup.fate?.cancel();
    if (!error) this.#lookup.found(addressesOf(records));
    this.#complete.apply(this.#request, answer);
  }

  #hold(fate: LookupFate, answer: unknown[]): void {
    const context = new AsyncResource(TYPE);
    const over = this.#untilCancelled(fate, context);
    fate.hold(() => {
      over();
      context.runInAsyncScope(() => this.#answered(answer));
    });
  }

  #failLater(fate: LookupFate): void {
    const context = new AsyncResource(TYPE);
    const over = this.#untilCancelled(fate, context);
    fate.fail(
      (code) => {
        over();
        context.runInAsyncScope(() => raise(this.#request, this.#complete, code));
      },
      () => {
        over();
        context.runInAsyncScope(() => this.#proceed());
      },
    );
  }

  /** The query is made after all. */
  #proceed(): void {
    this.#request.oncomplete = (...answer: unknown[]): void => this.#answered(answer);
    const refused = this.#send();
    if (refused !== 0) this.#complete.call(this.#request, refused);
  }

  /** While it waits, the channel's `cancel` ends it as it ends real queries: with ECANCELLED, a turn later. */
  #untilCancelled(fate: LookupFate, context: AsyncResource): () => void {
    const cancel = (): void => {
      this.#waits.delete(cancel);
      fate.cancel();
      setImmediate(() => context.runInAsyncScope(() => this.#complete.call(this.#request, CANCELLED)));
    };
    this.#waits.add(cancel);
    return () => void this.#waits.delete(cancel);
  }
}

/** The addresses in the answer to a query of any type. */
function addressesOf(records: unknown): string[] {
  if (!Array.isArray(records)) return [];
  const addresses = records.map((record: unknown) =>
    typeof record === "object" && record !== null ? (record as { address?: unknown }).address : record,
  );
  return addresses.filter((address): address is string => typeof address === "string" && isIP(address) !== 0);
}
