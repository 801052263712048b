/**
 * Ends a span when a thenable settles, and changes as little as possible about the thenable.
 *
 * A promise is under way already: the caller gets its successor, which is of the same class, has its own properties (a client's
 * `.json()` or `.cancel()`) and rejects unhandled where the promise would have. Any other thenable may start its work in `then`
 * (knex, mongoose, Prisma, drizzle, `APIPromise`), or be looked at in other ways than by `then`: it stays the very object, with an own
 * `then` that runs the start of the work in the span.
 */
import { AsyncResource } from "node:async_hooks";
import { types } from "node:util";
import type { Span } from "./span.ts";
import { nextTick } from "../internal/real-timers.ts";

type Handler = ((value: unknown) => unknown) | null | undefined;
type Then = (this: unknown, onFulfilled?: Handler, onRejected?: Handler, ...rest: unknown[]) => unknown;

export function followThenable(span: Span, thenable: PromiseLike<unknown>): unknown {
  if (!isStarted(thenable)) return followLazy(span, thenable);
  return keepsItsKind(thenable) ? followPromise(span, thenable) : followPeculiar(span, thenable);
}

/** A promise whose `then` is the one that all promises have; of any realm, since test runners use several. */
function isStarted(thenable: PromiseLike<unknown>): thenable is Promise<unknown> {
  if (!types.isPromise(thenable)) return false;
  let owner: object | null = thenable;
  while (owner !== null && !Object.hasOwn(owner, "then")) owner = Object.getPrototypeOf(owner) as object | null;
  const above = owner !== thenable && owner !== null ? (Object.getPrototypeOf(owner) as object | null) : null;
  return above !== null && Object.getPrototypeOf(above) === null;
}

/** Whether `then` gives a promise of the same class. */
function keepsItsKind(promise: Promise<unknown>): boolean {
  const { constructor } = promise;
  return (constructor as PromiseConstructor)[Symbol.species] === constructor;
}

function followPromise(span: Span, promise: Promise<unknown>): Promise<unknown> {
  const successor = promise.then(
    (value) => {
      span.finish();
      return value;
    },
    (error: unknown) => {
      span.end();
      throw error;
    },
  );
  // Of the symbols, only those of the language: Node keeps notes of its own on promises.
  const keys = [...Object.getOwnPropertyNames(promise), Symbol.iterator, Symbol.asyncIterator, Symbol.dispose, Symbol.asyncDispose];
  for (const key of keys) {
    const descriptor = Reflect.getOwnPropertyDescriptor(promise, key);
    if (descriptor !== undefined && !Object.hasOwn(successor, key)) Reflect.defineProperty(successor, key, descriptor);
  }
  return successor;
}

/** A subclass whose `then` gives another class: the caller must get the subclass, so it gets the very promise. */
function followPeculiar(span: Span, promise: Promise<unknown>): unknown {
  const { then } = promise;
  let observed = false;
  /** What the span has against a promise that is fulfilled: everybody but us is told that it was rejected with that. */
  let objection: { readonly error: unknown } | undefined;
  const overridden = Reflect.defineProperty(promise, "then", {
    value(this: unknown, onFulfilled?: Handler, onRejected?: Handler): unknown {
      observed = true;
      const fulfilled: Handler = (value) => {
        if (objection === undefined) return onFulfilled ? onFulfilled(value) : value;
        if (onRejected) return onRejected(objection.error);
        throw objection.error;
      };
      return then.call(this as Promise<unknown>, fulfilled, onRejected);
    },
    writable: true,
    configurable: true,
    enumerable: false,
  });
  if (!overridden) return followPromise(span, promise);
  const refuse = (error: unknown): void => {
    span.end();
    // Our handler made Node count the promise as handled. Where nobody else has one by the time when Node would say so, that has to be
    // said all the same.
    nextTick(() => {
      if (!observed) void Promise.reject(error);
    });
  };
  void then.call(
    promise,
    () => {
      try {
        span.finish();
      } catch (error) {
        objection = { error };
        refuse(error);
      }
    },
    refuse,
  );
  return promise;
}

function followLazy(span: Span, thenable: PromiseLike<unknown>): unknown {
  const then = thenable.then as Then;
  let started = 0;
  const start: Then = function (onFulfilled, onRejected, ...rest) {
    started++;
    let settled = false;
    const settle = (failed: boolean): void => {
      if (settled) return;
      settled = true;
      started--;
      if (started > 0) return;
      if (failed) span.end();
      else span.finish();
    };
    const fulfilled = inCaller(onFulfilled);
    const rejected = inCaller(onRejected);
    const refuse = (error: unknown): unknown => {
      settle(true);
      if (rejected === undefined) throw error;
      return rejected(error);
    };
    const accept = (value: unknown): unknown => {
      try {
        settle(false);
      } catch (error) {
        return refuse(error);
      }
      return fulfilled === undefined ? value : fulfilled(value);
    };
    try {
      return span.enter(() => then.call(this, accept, refuse, ...rest));
    } catch (error) {
      settle(true);
      throw error;
    }
  };
  if (Reflect.defineProperty(thenable, "then", { value: start, writable: true, configurable: true, enumerable: false })) return thenable;
  // An object that takes no properties: the start cannot wait for the caller.
  return followPromise(span, new Promise((resolve, reject) => void span.enter(() => then.call(thenable, resolve, reject))));
}

/** The handlers of a `then` run in the context of who called it, as those of a promise do. */
function inCaller(handler: Handler): ((value: unknown) => unknown) | undefined {
  return typeof handler === "function" ? AsyncResource.bind<(value: unknown) => unknown, undefined>(handler) : undefined;
}
