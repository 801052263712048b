/** Whether an error is a fault's doing. */
import { hasInjectedBrand } from "../internal/brand.ts";
import { errorsBehind } from "../internal/errors-behind.ts";

/** True where the mark is on the error, or on one behind its `cause` or among its `errors`, at any depth. */
export function isInjected(error: unknown): boolean {
  for (const each of errorsBehind(error)) if (typeof each === "object" && each !== null && hasInjectedBrand(each)) return true;
  return false;
}
