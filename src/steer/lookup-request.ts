/** What both kinds of lookup requests have in common: Node's callback, which makes results and errors of what native code says. */
import { brandInjected } from "../internal/brand.ts";
import type { LookupRequest } from "./dns-internals.ts";

/** Node's callback of a request; `answer` is what native code says: an error or a falsy value, then the results. */
export type Complete = (this: object, ...answer: unknown[]) => void;

type Receiver = (this: unknown, error: unknown, ...rest: unknown[]) => unknown;

/** Lets a request fail as if native code had said so: Node builds the error, which is marked before the program gets it. */
export function raise(request: LookupRequest, complete: Complete, error: number | string): void {
  for (const name of ["callback", "reject"] as const) {
    const receiver = request[name] as Receiver | undefined;
    if (typeof receiver !== "function") continue;
    request[name] = function marked(this: unknown, given: unknown, ...rest: unknown[]): unknown {
      return receiver.call(this, given instanceof Error ? brandInjected(given) : given, ...rest);
    } satisfies Receiver;
  }
  complete.call(request, error);
}
