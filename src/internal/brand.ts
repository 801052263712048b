/** The hidden mark of an injected error. A `Symbol.for`, so that two copies of the package in one process agree. */
const kInjected: unique symbol = Symbol.for("faultcore.injected") as never;

/** Marks an error as raised by a fault. Not enumerable: the error stays deeply equal to Node's own. */
export function brandInjected<T extends Error>(error: T): T {
  Object.defineProperty(error, kInjected, { value: true, enumerable: false, configurable: true });
  return error;
}

/** Whether this very object carries the mark (see `isInjected` for the whole chain). */
export function hasInjectedBrand(value: unknown): boolean {
  return typeof value === "object" && value !== null && (value as { [kInjected]?: unknown })[kInjected] === true;
}
