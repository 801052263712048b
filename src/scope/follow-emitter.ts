/** Ends spans when an emitter closes. */
import type { EventEmitter } from "node:events";
import type { Span } from "./span.ts";

/** One listener per emitter, however often it is returned: a method that returns its emitter must not pile listeners up. */
const followed = new WeakMap<EventEmitter, Set<Span>>();

/** Ends the span at 'close', or now where that is over: streams say so by `closed`. */
export function followEmitter(span: Span, emitter: EventEmitter): void {
  if ((emitter as { closed?: unknown }).closed === true) {
    span.end();
    return;
  }
  const known = followed.get(emitter);
  if (known !== undefined) {
    known.add(span);
    return;
  }
  const spans = new Set([span]);
  followed.set(emitter, spans);
  // First of all listeners, so that what the program does at 'close' is outside of the span.
  emitter.prependOnceListener("close", () => {
    followed.delete(emitter);
    for (const each of spans) each.end();
  });
}
