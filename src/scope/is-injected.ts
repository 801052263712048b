/** Whether an error is a fault's doing. */
import { hasInjectedBrand } from "../internal/brand.ts";

/** True where the mark is on the error, or on one behind its `cause` or among its `errors`, at any depth. */
export function isInjected(error: unknown): boolean {
  const seen = new Set<object>();
  const waiting: unknown[] = [error];
  while (waiting.length > 0) {
    const next = waiting.pop();
    if (typeof next !== "object" || next === null || seen.has(next)) continue;
    seen.add(next);
    if (hasInjectedBrand(next)) return true;
    const { cause, errors } = next as { cause?: unknown; errors?: unknown };
    waiting.push(cause);
    if (Array.isArray(errors)) waiting.push(...(errors as unknown[]));
  }
  return false;
}
