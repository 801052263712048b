/**
 * Copies input that may be anything into plain data that is surely ours: own enumerable properties of ordinary objects, and lists.
 *
 * Every property is read once, so a getter cannot answer differently later; a cycle, a proxy or a class instance ends in a `ReadError`,
 * never in another exception, and never in a changed prototype.
 */
import { describeValue } from "./describe.ts";
import { ReadError } from "./read-error.ts";

/** Deeper and bigger than any policy; what goes beyond is a cycle, an alias bomb or a mistake. */
const MAX_DEPTH = 8;
const MAX_VALUES = 20_000;

type Path = readonly (string | number)[];

/**
 * A deep copy of plain data: mappings, lists, text, numbers, bigints, booleans, null and undefined.
 *
 * @throws {ReadError} with the path of what is no plain data.
 * @example
 * copyPlain({ a: [1] }); // { a: [1] }, sharing nothing with the argument
 */
export function copyPlain(input: unknown): unknown {
  return copyValue(input, [], { left: MAX_VALUES });
}

function copyValue(value: unknown, path: Path, budget: { left: number }): unknown {
  if (typeof value === "function" || typeof value === "symbol") throw new ReadError(`got a ${typeof value}`, "plain data", path);
  if (typeof value !== "object" || value === null) return value;
  if (path.length > MAX_DEPTH) throw new ReadError("is nested too deeply, or contains itself", "plain data", path);
  try {
    return Array.isArray(value) ? copyList(value, path, budget) : copyMapping(value, path, budget);
  } catch (error) {
    if (error instanceof ReadError) throw error;
    throw new ReadError(`cannot be read: ${errorText(error)}`, "plain data", path);
  }
}

function copyList(list: readonly unknown[], path: Path, budget: { left: number }): unknown[] {
  const copy: unknown[] = [];
  const length = list.length;
  for (let index = 0; index < length; index++) {
    spend(budget, path);
    if (!Object.hasOwn(list, index)) throw new ReadError("is a hole in the list", "a value", [...path, index]);
    copy.push(copyValue(list[index], [...path, index], budget));
  }
  return copy;
}

function copyMapping(mapping: object, path: Path, budget: { left: number }): object {
  if (!isOrdinary(mapping)) throw new ReadError(`got ${describeInstance(mapping)}`, "a mapping (an ordinary object)", path);
  const copy = {};
  for (const key of Object.keys(mapping)) {
    spend(budget, path);
    const value = copyMember(mapping as Record<string, unknown>, key, [...path, key], budget);
    // Defined, not assigned: a key named `__proto__` stays a key.
    Object.defineProperty(copy, key, { value, enumerable: true, writable: true, configurable: true });
  }
  return copy;
}

function copyMember(mapping: Record<string, unknown>, key: string, path: Path, budget: { left: number }): unknown {
  let member: unknown;
  try {
    member = mapping[key];
  } catch (error) {
    throw new ReadError(`cannot be read: ${errorText(error)}`, "plain data", path);
  }
  return copyValue(member, path, budget);
}

/** Whether the prototype is `Object.prototype` of any realm (test runners use several), or null. */
function isOrdinary(mapping: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(mapping);
  if (prototype === null) return true;
  return Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype as object, "isPrototypeOf");
}

function describeInstance(instance: object): string {
  const { name } = instance.constructor;
  return typeof name === "string" && name !== "" ? `an instance of ${name}` : describeValue(instance);
}

function spend(budget: { left: number }, path: Path): void {
  budget.left -= 1;
  if (budget.left < 0) throw new ReadError(`has more than ${MAX_VALUES} values`, "less data", path);
}

function errorText(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error);
  } catch {
    return "it throws";
  }
}
