/**
 * When a body's work is over, and with it the scope, shield or selection that it runs in.
 *
 * - a thenable: when it settles (a promise gives one of the same kind; a lazy thenable stays the object it is, and its work runs in the
 *   span each time that it is started);
 * - an iterator or async iterator: at done, return or throw; each `next()`, `return()`, `throw()` runs in the span;
 * - an EventEmitter: at 'close', also where it is an iterator or a lazy thenable as well, if that comes first;
 * - anything else: at return. A body that throws is over.
 *
 * Where the span has an objection to work that did not fail (`Span.finish`), the work fails with it in the way in which it would fail.
 */
import { EventEmitter } from "node:events";
import { ask } from "./ask.ts";
import { followEmitter } from "./follow-emitter.ts";
import { followIterator, isIterator } from "./follow-iterator.ts";
import { followThenable } from "./follow-thenable.ts";
import type { Span } from "./span.ts";

/** Runs a body in a span, which ends when the body's work is over. Returns what the body returned, or a promise of the same kind. */
export function runSpan<R>(span: Span, body: () => R): R {
  let value: R;
  try {
    value = span.enter(body);
  } catch (error) {
    span.end();
    throw error;
  }
  return follow(span, value) as R;
}

function follow(span: Span, value: unknown): unknown {
  if ((typeof value !== "object" || value === null) && typeof value !== "function") {
    span.finish();
    return value;
  }
  if (typeof ask(value, "then") === "function") {
    if (value instanceof EventEmitter) followEmitter(span, value, false);
    return followThenable(span, value as PromiseLike<unknown>);
  }
  const iterates = isIterator(value) && followIterator(span, value);
  if (value instanceof EventEmitter) followEmitter(span, value, !iterates);
  else if (!iterates) span.finish();
  return value;
}
