/**
 * Which scope the running code is in: frames in async context, the innermost live one counts.
 *
 * Before Node 24 any AsyncLocalStorage in use makes every promise of the process slower, so it is switched off when nothing needs it.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import type { ScopeRecord } from "./record.ts";

/** A frame that keeps the scopes around it out (`withoutFaults`), until it is over. */
export class Shield {
  live = true;
}

/** What is done in answer to what a connection has read, also later on: no scope, so it is never live. */
class Answer {
  readonly live = false;
  readonly connection: object;

  constructor(connection: object) {
    this.connection = connection;
  }
}

export interface Frame {
  readonly holder: ScopeRecord | Shield | Answer;
  readonly parent: Frame | undefined;
}

/** An AsyncLocalStorage that is only switched on while somebody holds it. */
export class SleepyStorage<T> {
  readonly #storage = new AsyncLocalStorage<T>();
  #holders = 0;

  get holders(): number {
    return this.#holders;
  }

  hold(): void {
    this.#holders++;
  }

  drop(): void {
    this.#holders--;
    if (this.#holders === 0) this.#storage.disable();
  }

  get(): T | undefined {
    return this.#holders === 0 ? undefined : this.#storage.getStore();
  }

  run<R>(value: T | undefined, body: () => R): R {
    return this.#storage.run(value as T, body);
  }

  enter(value: T | undefined): void {
    this.#storage.enterWith(value as T);
  }
}

const frames = new SleepyStorage<Frame>();

/** Runs `body` inside a scope or a shield. The caller holds the storage by `holdFrames` as long as the frame may matter. */
export function runInFrame<R>(holder: ScopeRecord | Shield, body: () => R): R {
  return frames.run({ holder, parent: currentFrame() }, body);
}

/** Runs `body` in a frame that `currentFrame` gave out. */
export function runInThisFrame<R>(frame: Frame | undefined, body: () => R): R {
  return frames.holders === 0 ? body() : frames.run(frame, body);
}

const OUTSIDE = {};

/** What async context carries, over or not: the same object wherever the context is the same. */
export function here(): object {
  return frames.get() ?? OUTSIDE;
}

/** Runs `body` where `here` was called. */
export function runHere<R>(place: object, body: () => R): R {
  return runInThisFrame(frameAt(place), body);
}

/** The running code goes on where `here` was called, until it calls what is returned. */
export function enterHere(place: object): () => void {
  const before = here();
  const enter = (at: object): void => {
    if (frames.holders > 0) frames.enter(frameAt(at));
  };
  enter(place);
  return () => enter(before);
}

function frameAt(place: object): Frame | undefined {
  return place === OUTSIDE ? undefined : (place as Frame);
}

/** The innermost frame that is not over. A frame never comes back, so those between need not be kept. */
export function currentFrame(): Frame | undefined {
  let frame = frames.get();
  while (frame !== undefined && !frame.holder.live) frame = frame.parent;
  return frame;
}

export function holdFrames(): void {
  frames.hold();
}

export function dropFrames(): void {
  frames.drop();
}

/** How many reasons there are to track async context for scopes; 0 = tracking is off. */
export function frameHolders(): number {
  return frames.holders;
}

/** Runs what a connection calls with what it has read. */
export function runAnswer<A, B, R>(connection: object, body: (reader: A, data: B) => R, reader: A, data: B): R {
  if (frames.holders === 0) return body(reader, data);
  return frames.run({ holder: new Answer(connection), parent: currentFrame() }, () => body(reader, data));
}

/** Whether the running code is, or was set going by, what the connection has read, and no scope has begun since. */
export function isAnswer(connection: object): boolean {
  const holder = frames.get()?.holder;
  return holder instanceof Answer && holder.connection === connection;
}

/** The shield that the running code is in, if that is what counts. */
export function currentShield(): Shield | undefined {
  const holder = currentFrame()?.holder;
  return holder instanceof Shield ? holder : undefined;
}

/** The innermost live scope; null inside a shield; undefined outside of all scopes. */
export function currentScope(): ScopeRecord | null | undefined {
  const holder = currentFrame()?.holder;
  if (holder instanceof Shield) return null;
  return holder instanceof Answer ? undefined : holder;
}
