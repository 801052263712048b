/**
 * Runs an iterator's steps in a span and ends the span with the iterator. The object stays the one that it is: `next`, `return` and
 * `throw` get own properties in front of their inherited ones, so `for await`, `yield*`, helpers and extra methods all work.
 */
import { ask } from "./ask.ts";
import type { Span } from "./span.ts";

type Step = (this: unknown, ...args: unknown[]) => unknown;

interface AnyIterator {
  next: Step;
  return?: Step;
  throw?: Step;
  [Symbol.asyncIterator]?: unknown;
}

/** Whether the value is an iterator, and not only iterable: an array, a Map or a stream is at rest until somebody asks it for one. */
export function isIterator(value: object): value is AnyIterator {
  if (typeof ask(value, "next") !== "function") return false;
  return typeof ask(value, Symbol.iterator) === "function" || typeof ask(value, Symbol.asyncIterator) === "function";
}

/** False where the object takes no properties: then the span is not followed. */
export function followIterator(span: Span, iterator: AnyIterator): boolean {
  const guarded = (step: Step): Step =>
    function (this: unknown, ...args) {
      try {
        const result = span.enter(() => step.apply(this, args));
        return watch(span, result);
      } catch (error) {
        span.end();
        throw error;
      }
    };
  if (!define(iterator, "next", guarded(iterator.next))) return false;
  define(iterator, "return", typeof iterator.return === "function" ? guarded(iterator.return) : closing(span, iterator));
  if (typeof iterator.throw === "function") define(iterator, "throw", guarded(iterator.throw));
  return true;
}

/** For iterators that have no `return`: leaving a loop early must end the span all the same. */
function closing(span: Span, iterator: AnyIterator): Step {
  const isAsync = typeof iterator[Symbol.asyncIterator] === "function";
  return (value) => {
    try {
      const result = finish(span, { done: true, value });
      return isAsync ? Promise.resolve(result) : result;
    } catch (error) {
      if (isAsync) return Promise.reject(error);
      throw error;
    }
  };
}

function watch(span: Span, result: unknown): unknown {
  const { then } = Object(result) as { then?: unknown };
  if (typeof then !== "function") return finish(span, result);
  return (result as PromiseLike<unknown>).then(
    (settled) => finish(span, settled),
    (error: unknown) => {
      span.end();
      throw error;
    },
  );
}

/** A step that yields goes on; also `return()` can, through a `finally` with a `yield` in it. */
function finish(span: Span, result: unknown): unknown {
  const { done } = Object(result) as { done?: unknown };
  if (done) span.finish();
  return result;
}

function define(target: object, key: PropertyKey, value: unknown): boolean {
  return Reflect.defineProperty(target, key, { value, writable: true, configurable: true, enumerable: false });
}
