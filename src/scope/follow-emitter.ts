/** Ends spans when an emitter closes. */
import { errorMonitor } from "node:events";
import type { EventEmitter } from "node:events";
import type { Span } from "./span.ts";
import { nextTick } from "../internal/real-timers.ts";

interface Followed {
  /** Spans by whether the emitter's end is all that there is of their work: then it says how the work failed. */
  readonly spans: Map<Span, boolean>;
  failed: boolean;
}

/** One listener per emitter, however often it is returned: a method that returns its emitter must not pile listeners up. */
const followed = new WeakMap<EventEmitter, Followed>();

/**
 * Ends the span at 'close', or now where that is over: streams say so by `closed`. `alone`: the emitter is nothing else that is followed.
 */
export function followEmitter(span: Span, emitter: EventEmitter, alone: boolean): void {
  const { closed, errored } = emitter as { closed?: unknown; errored?: unknown };
  if (closed === true) {
    if (alone && !errored) span.finish();
    else span.end();
    return;
  }
  const known = followed.get(emitter);
  if (known !== undefined) {
    known.spans.set(span, alone);
    return;
  }
  const state: Followed = { spans: new Map([[span, alone]]), failed: false };
  followed.set(emitter, state);
  const onError = (): void => void (state.failed = true);
  // A monitor only: an 'error' that nobody handles stays unhandled.
  emitter.on(errorMonitor, onError);
  // First of all listeners, so that what the program does at 'close' is outside of the span.
  emitter.prependOnceListener("close", () => {
    followed.delete(emitter);
    emitter.off(errorMonitor, onError);
    for (const [each, ofEmitter] of state.spans) {
      if (ofEmitter && !state.failed) finishBefore(each, emitter);
      else each.end();
    }
  });
}

/** An objection is an 'error' that comes before 'close'. Where nobody listens, it must not keep the other listeners from their 'close'. */
function finishBefore(span: Span, emitter: EventEmitter): void {
  try {
    span.finish();
  } catch (error) {
    if (emitter.listenerCount("error") > 0) emitter.emit("error", error);
    else {
      nextTick(() => {
        throw error;
      });
    }
  }
}
