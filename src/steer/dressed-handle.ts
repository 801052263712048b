/**
 * What a steered handle inherits: methods that answer for the real connection, between the handle and the class that it is of. One object
 * for all of them, because a property of its own for each method would cost every connect microseconds.
 */
import type { SocketName } from "../internal/tcp-handle.ts";
import type { TcpHandle } from "./node-internals.ts";
import { hide } from "./patches.ts";

const kSteering: unique symbol = Symbol("faultcore.steering");

/** Who answers in a handle's place. */
interface Answering {
  getsockname(out: SocketName): number;
  getpeername(out: SocketName): number;
  setKeepAlive(on: boolean, delaySeconds: number): void;
  close(callback: (() => void) | undefined): unknown;
  reset(callback: (() => void) | undefined): number;
}

type Dressed = TcpHandle & { readonly [kSteering]: Answering };

const methods: ThisType<Dressed> & Pick<TcpHandle, keyof Answering | "setNoDelay"> = {
  getsockname(out) {
    return this[kSteering].getsockname(out);
  },
  getpeername(out) {
    return this[kSteering].getpeername(out);
  },
  // The leg never delays small writes; what the program wants for the real connection, the relay does there.
  setNoDelay() {
    return 0;
  },
  setKeepAlive(on, delaySeconds) {
    this[kSteering].setKeepAlive(on, delaySeconds);
    return 0;
  },
  close(callback) {
    return this[kSteering].close(callback);
  },
  reset(callback) {
    return this[kSteering].reset(callback);
  },
};
const names = Object.keys(methods) as (keyof typeof methods)[];

const prototypes = new WeakMap<TcpHandle, object>();

/** What handles of this class inherit once they are steered. */
function dressedPrototype(native: TcpHandle): object {
  let dressed = prototypes.get(native);
  if (dressed === undefined) {
    dressed = Object.create(native) as object;
    for (const name of names) hide(dressed, name, methods[name]);
    prototypes.set(native, dressed);
  }
  return dressed;
}

/** The class's own methods, also of a dressed handle. */
export function nativeOf(handle: TcpHandle): Partial<TcpHandle> {
  const inherited = Object.getPrototypeOf(handle) as TcpHandle;
  const behind = Object.getPrototypeOf(inherited) as TcpHandle;
  return prototypes.get(behind) === inherited ? behind : inherited;
}

/** From now on `answering` answers in the handle's place. `native`: the prototype of the handle's class. */
export function dress(handle: TcpHandle, native: TcpHandle, answering: Answering): void {
  hide(handle, kSteering, answering);
  // Somebody's own class of handles keeps what it inherits.
  const inherits = Object.getPrototypeOf(handle) === native;
  if (inherits) Object.setPrototypeOf(handle, dressedPrototype(native));
  for (const name of names) if (!inherits || Object.hasOwn(handle, name)) hide(handle, name, methods[name]);
}
