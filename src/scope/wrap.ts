/**
 * One value that wraps a function and decorates a method, in both forms of decorators.
 *
 * Owns: telling these uses apart, refusing all others, and the metadata of what comes out. Never: what a call of it does.
 */
import { promisify } from "node:util";
import { FaultcoreError } from "../errors.ts";
import { describeValue } from "../internal/describe.ts";

export type AnyFunction = (...args: never[]) => unknown;

/** What a call of a wrapped function does instead: `fn` is the original, `self` its `this`. */
export type Call = (fn: AnyFunction, self: unknown, args: unknown[]) => unknown;

/** Wraps a function, or decorates a static, instance or private method. */
export interface FaultWrapper {
  /** As a decorator of the standard form. */
  <Method extends AnyFunction>(method: Method, context: ClassMethodDecoratorContext): Method;
  /** As a decorator of the legacy form (`experimentalDecorators`, NestJS). */
  <Method>(target: object, key: string | symbol, descriptor: TypedPropertyDescriptor<Method>): TypedPropertyDescriptor<Method>;
  /** Around a function: what comes out has its type, name, length, `this` and properties. */
  <Fn extends AnyFunction>(fn: Fn, nothing?: undefined): Fn;
}

/** @param label how the user wrote it, for messages: `fault()` */
export function makeWrapper(label: string, wrap: (fn: AnyFunction) => AnyFunction): FaultWrapper {
  const apply = (...args: readonly unknown[]): unknown => {
    const [first, second, third] = args;
    if (isStandardContext(second)) {
      if (second.kind !== "method") throw invalidUse(label, `a ${second.kind}`);
      return wrap(first as AnyFunction);
    }
    if (args.length > 1) return decorateLegacy(label, wrap, third);
    if (typeof first !== "function") throw invalidUse(label, describeValue(first));
    if (isClass(first)) throw invalidUse(label, "a class");
    return wrap(first as AnyFunction);
  };
  return apply as FaultWrapper;
}

/** A new function in the place of `fn`: what is read of it, other than by calling it, is what `fn` has. */
export function replaceFunction(fn: AnyFunction, call: Call): AnyFunction {
  // A method: like most of what is wrapped, it cannot be called with `new`.
  const { wrapper } = {
    wrapper(this: unknown, ...args: unknown[]): unknown {
      return call(fn, this, args);
    },
  };
  // Inherited, so that properties that come later (metadata of NestJS, a mock's calls) are there too, and an async function looks like one.
  Object.setPrototypeOf(wrapper, fn);
  for (const key of ["name", "length"]) {
    const descriptor = Reflect.getOwnPropertyDescriptor(fn, key);
    if (descriptor !== undefined) Reflect.defineProperty(wrapper, key, { ...descriptor, configurable: true });
  }
  const custom = (fn as { [promisify.custom]?: unknown })[promisify.custom];
  if (typeof custom === "function") {
    // Else `promisify` would give the function without its faults.
    const value = replaceFunction(custom as AnyFunction, call);
    Object.defineProperty(wrapper, promisify.custom, { value, configurable: true, writable: true });
  }
  return wrapper;
}

function decorateLegacy(label: string, wrap: (fn: AnyFunction) => AnyFunction, descriptor: unknown): PropertyDescriptor {
  if (typeof descriptor === "number") throw invalidUse(label, "a parameter");
  if (typeof descriptor !== "object" || descriptor === null) throw invalidUse(label, "a field");
  const given = descriptor as PropertyDescriptor;
  if (given.get !== undefined || given.set !== undefined) throw invalidUse(label, "an accessor");
  if (typeof given.value !== "function") throw invalidUse(label, "a field");
  if (isClass(given.value)) throw invalidUse(label, "a class");
  return { ...given, value: wrap(given.value as AnyFunction) };
}

function isStandardContext(value: unknown): value is { kind: string } {
  return typeof value === "object" && value !== null && typeof (value as { kind?: unknown }).kind === "string" && "addInitializer" in value;
}

function isClass(fn: object): boolean {
  return /^class\b/.test(Function.prototype.toString.call(fn));
}

function invalidUse(label: string, what: string): FaultcoreError {
  return new FaultcoreError(
    "ERR_FAULTCORE_INVALID_USE",
    `${label} wraps a function or decorates a method, and was used on ${what}. Faults apply to calls: use it on the method that makes the calls.`,
    { expected: "a function or a method" },
  );
}
