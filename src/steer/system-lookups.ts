/**
 * Lookups by the system's resolver: `dns.lookup`, `dns.promises.lookup`, and what `net` and `dgram` look up.
 *
 * Each is seen when Node gives its request a callback, right before the native call. One that is to fail is stopped there, by an exception
 * that a wrapper around Node's function catches. A function that was taken out of the module before has no such wrapper: then the lookup
 * is made, and its answer does not count.
 */
import { AsyncResource } from "node:async_hooks";
import dns from "node:dns";
import type { LookupRequest } from "./dns-internals.ts";
import { raise } from "./lookup-request.ts";
import type { Complete } from "./lookup-request.ts";
import { EAI_AGAIN, EAI_NONAME } from "./node-internals.ts";
import type { Patches } from "./patches.ts";
import type { Lookup, LookupFate, Router } from "./router.ts";

type AnyFunction = (this: unknown, ...args: unknown[]) => unknown;

const TYPE = "GETADDRINFOREQWRAP";
const ERRNOS = { ENOTFOUND: EAI_NONAME, EAI_AGAIN, ETIMEOUT: EAI_AGAIN } as const;

/** Thrown out of Node's function before the native call. */
const STOP = new Error("faultcore stopped a name lookup; this error should never be seen");

/** A lookup that was stopped, and what is to happen to it. */
interface Stopped {
  readonly request: LookupRequest;
  readonly complete: Complete;
  readonly lookup: Lookup;
  readonly fate: LookupFate;
}

export function patchSystemLookups(patches: Patches, router: Router, prototype: LookupRequest): void {
  const lookups = new SystemLookups(router);
  const seen = (request: LookupRequest, complete: Complete): Complete => lookups.seen(request, complete);
  Object.defineProperty(prototype, "oncomplete", {
    configurable: true,
    enumerable: false,
    get: () => undefined,
    set(this: LookupRequest, complete: unknown) {
      const value = typeof complete === "function" ? seen(this, complete as Complete) : complete;
      Object.defineProperty(this, "oncomplete", { value, writable: true, configurable: true, enumerable: true });
    },
  });
  patches.add(() => void Reflect.deleteProperty(prototype, "oncomplete"));
  patches.replace(dns, "lookup", (original) => {
    const call = original as AnyFunction;
    return like(original, (self, args) => {
      const { result, stopped } = lookups.call(call, self, args);
      return stopped === undefined ? result : lookups.failLater(stopped, call, self, args);
    });
  });
  patches.replace(dns.promises, "lookup", (original) => {
    const call = original as AnyFunction;
    return like(original, (self, args) => {
      const { result, stopped } = lookups.call(call, self, args);
      return stopped === undefined ? result : lookups.rejectLater(stopped, call, self, args);
    });
  });
}

class SystemLookups {
  readonly #router: Router;
  /** A wrapper is around the call that is under way. */
  #stoppable = false;
  #stopped: Stopped | undefined;
  /** A stopped lookup that is made after all: nothing happens to it any more. */
  #passing: Lookup | undefined;

  constructor(router: Router) {
    this.#router = router;
  }

  call(original: AnyFunction, self: unknown, args: unknown[]): { result: unknown; stopped: Stopped | undefined } {
    const before = this.#stoppable;
    this.#stoppable = true;
    let result: unknown;
    try {
      result = Reflect.apply(original, self, args);
    } catch (error) {
      if (error !== STOP) throw error;
    } finally {
      this.#stoppable = before;
    }
    const stopped = this.#stopped;
    this.#stopped = undefined;
    // The promise of a stopped call: nobody else has seen it.
    if (stopped !== undefined && result instanceof Promise) result.catch(() => {});
    return { result, stopped };
  }

  /** Node sets the callback of a request: returns the one to be set. */
  seen(request: LookupRequest, complete: Complete): Complete {
    const { hostname } = request;
    if (typeof hostname !== "string") return complete;
    const passing = this.#passing;
    const lookup = passing ?? this.#router.lookup(hostname, "lookup");
    const answered: Complete = function answered(...answer) {
      const [error, addresses] = answer;
      // Before Node makes of the list, in its place, what the program gets.
      if (!error && Array.isArray(addresses)) lookup.found(addresses as string[]);
      complete.apply(this, answer);
    };
    const fate = passing === undefined ? lookup.fate : undefined;
    if (fate === undefined) return answered;
    if (!fate.fails) return heldBack(fate, answered);
    if (!this.#stoppable) return overruled(request, complete, answered, fate);
    this.#stopped = { request, complete, lookup, fate };
    throw STOP;
  }

  failLater(stopped: Stopped, original: AnyFunction, self: unknown, args: unknown[]): LookupRequest {
    const { request, complete, fate, lookup } = stopped;
    const context = new AsyncResource(TYPE);
    fate.fail(
      (code) => context.runInAsyncScope(() => raise(request, complete, ERRNOS[code])),
      () => context.runInAsyncScope(() => this.#pass(lookup, original, self, args)),
    );
    return request;
  }

  rejectLater(stopped: Stopped, original: AnyFunction, self: unknown, args: unknown[]): Promise<unknown> {
    const { request, complete, fate, lookup } = stopped;
    const context = new AsyncResource(TYPE);
    return new Promise((resolve, reject) => {
      request.resolve = resolve;
      request.reject = reject;
      fate.fail(
        (code) => context.runInAsyncScope(() => raise(request, complete, ERRNOS[code])),
        () => context.runInAsyncScope(() => resolve(this.#pass(lookup, original, self, args))),
      );
    });
  }

  #pass(lookup: Lookup, original: AnyFunction, self: unknown, args: unknown[]): unknown {
    this.#passing = lookup;
    try {
      return Reflect.apply(original, self, args);
    } finally {
      this.#passing = undefined;
    }
  }
}

/** The answer is kept for a while after it came. */
function heldBack(fate: LookupFate, answered: Complete): Complete {
  return function oncomplete(...answer) {
    const context = new AsyncResource(TYPE);
    fate.hold(() => context.runInAsyncScope(() => answered.apply(this, answer)));
  };
}

/** The lookup is made, but it fails whatever the answer is, unless the scope ends before. */
function overruled(request: LookupRequest, complete: Complete, answered: Complete, fate: LookupFate): Complete {
  const context = new AsyncResource(TYPE);
  let answer: unknown[] | undefined;
  let passes = false;
  fate.fail(
    (code) => context.runInAsyncScope(() => raise(request, complete, ERRNOS[code])),
    () => {
      passes = true;
      const given = answer;
      if (given !== undefined) context.runInAsyncScope(() => answered.apply(request, given));
    },
  );
  return function oncomplete(...given) {
    answer = given;
    if (passes) answered.apply(this, given);
  };
}

/** A function that looks like another one: name, length and whatever hangs on it (such as how to promisify it). */
function like<F extends object>(original: F, body: (self: unknown, args: unknown[]) => unknown): F {
  const made = function (this: unknown, ...args: unknown[]): unknown {
    return body(this, args);
  };
  const { prototype: _, ...properties } = Object.getOwnPropertyDescriptors(original) as PropertyDescriptorMap;
  return Object.defineProperties(made, properties) as unknown as F;
}
