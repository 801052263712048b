/**
 * Every change that faultcore makes to Node's own objects goes through here, so that all of them can be undone.
 *
 * Invariants: a method that somebody patched after us is left as it is when ours is taken back; ours then passes everything through,
 * because the router says that nothing is to be done. However often patches come and go, there is one layer of ours at most, as long as
 * nobody else's lies between.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";

type Method = (this: never, ...args: never[]) => unknown;

interface Patched {
  readonly original: unknown;
  /** What the object had of its own: nothing, if it inherited the method. */
  readonly own: PropertyDescriptor | undefined;
}

/** By replacement: what stood there before. Not a property: the functions look as they did. */
const originals = new WeakMap<object, unknown>();

/** By replacement: those that were taken back while somebody else's patch lay over them. */
const buried = new WeakMap<object, Patched>();

export class Patches {
  readonly #restores: (() => void)[] = [];
  readonly #mends: (() => void)[] = [];

  /** Replaces a method. `make` gets the one that stood there, own or inherited. */
  replace<T extends object, K extends keyof T & string>(target: T, name: K, make: (original: T[K]) => T[K]): void {
    let patched = put(target, name, make);
    this.#restores.push(() => {
      if (target[name] !== patched.replacement) buried.set(patched.replacement as object, patched);
      else if (patched.own === undefined) delete (target as Record<string, unknown>)[name];
      else Object.defineProperty(target, name, patched.own);
    });
    this.#mends.push(() => {
      if (target[name] !== patched.replacement && isGone(target, name, patched.original)) patched = put(target, name, make);
    });
  }

  /** Listens to one of Node's diagnostics channels. */
  listen(channel: string, listener: (message: unknown) => void): void {
    subscribe(channel, listener);
    this.add(() => unsubscribe(channel, listener));
  }

  /** Remembers how to undo something else. */
  add(restore: () => void): void {
    this.#restores.push(restore);
  }

  /** Puts back what somebody took away who patched before us, and has put back what he had found. */
  mend(): void {
    for (const mend of this.#mends) mend();
  }

  restoreAll(): void {
    this.#mends.length = 0;
    for (const restore of this.#restores.splice(0).reverse()) restore();
  }
}

function put<T extends object, K extends keyof T & string>(
  target: T,
  name: K,
  make: (original: T[K]) => T[K],
): Patched & { readonly replacement: T[K] } {
  let original = target[name];
  let own = Object.getOwnPropertyDescriptor(target, name);
  for (let layer = buried.get(original as object); layer !== undefined; layer = buried.get(original as object)) {
    original = layer.original as T[K];
    own = layer.own;
  }
  const replacement = make(original);
  Object.defineProperty(replacement as object, "name", { value: (original as Method).name, configurable: true });
  originals.set(replacement as object, original);
  Object.defineProperty(target, name, { value: replacement, writable: true, configurable: true, enumerable: own?.enumerable ?? false });
  return { original, own, replacement };
}

/**
 * Whether what stands there now is from before our patch: what the object inherits, or something below our original. Wrappers of
 * instrumentation say what they wrap.
 */
function isGone<T extends object>(target: T, name: keyof T, original: unknown): boolean {
  const method = target[name];
  if (method === (Object.getPrototypeOf(target) as T | null)?.[name]) return true;
  const seen = new Set<unknown>();
  for (let at = original; typeof at === "function" && !seen.has(at); at = originalOf(at)) {
    if (at === method) return true;
    seen.add(at);
  }
  return false;
}

/** What a replacement of ours stands for, or a wrapper of somebody else's, by the property that most of them have. */
export function originalOf(wrapper: object): unknown {
  return originals.get(wrapper) ?? (wrapper as { readonly __original?: unknown }).__original;
}

/** Gives an object a property that does not show up when its keys are listed. */
export function hide(target: object, name: PropertyKey, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
}

type AnyMethod = (...args: unknown[]) => unknown;

/** Lays a method over an object's own for a moment: what is returned takes it away. */
export function override(target: Socket, name: "emit" | "destroy", make: (original: AnyMethod) => AnyMethod): () => void {
  const own = Object.getOwnPropertyDescriptor(target, name);
  hide(target, name, make(target[name] as AnyMethod));
  return () => {
    if (own === undefined) delete (target as { emit?: unknown; destroy?: unknown })[name];
    else Object.defineProperty(target, name, own);
  };
}
