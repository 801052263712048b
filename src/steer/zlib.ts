/**
 * Compression: a message that is compressed before it is sent (permessage-deflate of WebSocket) is written when zlib calls back. Node runs
 * that in the context in which the compressor was made, which all messages of a connection share: so it is brought back to the caller's.
 */
import type { Zlib } from "node:zlib";
import type { Patches } from "./patches.ts";
import type { Router } from "./router.ts";

type Flush = (this: Zlib, ...args: unknown[]) => void;

export function patchZlib(patches: Patches, router: Router): void {
  // Not imported above: this runs only where it is loaded already.
  const { DeflateRaw } = process.getBuiltinModule("node:zlib") as unknown as { DeflateRaw: { prototype: { flush: Flush } } };
  let holder = DeflateRaw.prototype;
  // All classes of compressors have it from one.
  while (!Object.hasOwn(holder, "flush")) holder = Object.getPrototypeOf(holder) as typeof holder;
  patches.replace(holder, "flush", (original) => {
    return function flush(this: Zlib, kind?: unknown, callback?: unknown): void {
      const given = typeof kind === "function" ? kind : callback;
      if (typeof given !== "function" || !router.isBusy()) {
        original.call(this, kind, callback);
        return;
      }
      const place = router.here();
      const back = (...args: unknown[]): unknown => router.runIn(place, () => Reflect.apply(given, undefined, args) as unknown);
      original.call(this, ...(given === kind ? [back] : [kind, back]));
    };
  });
}
