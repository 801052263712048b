/**
 * Every change that faultcore makes to Node's own objects goes through here, so that all of them can be undone.
 *
 * Invariant: a method that somebody patched after us is left as it is when ours is taken back; ours then passes everything through,
 * because the router says that nothing is to be done.
 */

type Method = (this: never, ...args: never[]) => unknown;

export class Patches {
  readonly #restores: (() => void)[] = [];

  /** Replaces a method. `make` gets the one that stood there, own or inherited. */
  replace<T extends object, K extends keyof T & string>(target: T, name: K, make: (original: T[K]) => T[K]): void {
    const own = Object.getOwnPropertyDescriptor(target, name);
    const original = target[name];
    const replacement = make(original);
    Object.defineProperty(replacement as object, "name", { value: (original as Method).name, configurable: true });
    Object.defineProperty(target, name, { value: replacement, writable: true, configurable: true, enumerable: own?.enumerable ?? false });
    this.#restores.push(() => {
      if (target[name] !== replacement) return;
      if (own === undefined) delete (target as Record<string, unknown>)[name];
      else Object.defineProperty(target, name, own);
    });
  }

  /** Remembers how to undo something else. */
  add(restore: () => void): void {
    this.#restores.push(restore);
  }

  restoreAll(): void {
    for (const restore of this.#restores.splice(0).reverse()) restore();
  }
}

/** Gives an object a property that does not show up when its keys are listed. */
export function hide(target: object, name: PropertyKey, value: unknown): void {
  Object.defineProperty(target, name, { value, writable: true, configurable: true, enumerable: false });
}
