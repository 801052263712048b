/**
 * One runtime per thread, however many copies of the package the thread has loaded (Jest gives each test file its own modules, but all
 * of them share one `net`): it hangs on `net.Socket.prototype`, which is what it patches.
 */
import net from "node:net";
import { FaultcoreError } from "../errors.ts";
import { ABI, Runtime } from "./runtime.ts";

const kRuntime: unique symbol = Symbol.for("faultcore.runtime") as never;

/** The thread's runtime. */
export function getRuntime(): Runtime {
  const anchor = net.Socket.prototype as { [kRuntime]?: Runtime };
  const existing = anchor[kRuntime];
  if (existing !== undefined) {
    if (existing.abi === ABI) return existing;
    throw new FaultcoreError(
      "ERR_FAULTCORE_INVALID_USE",
      "Two incompatible versions of faultcore are loaded in this process. Make all packages depend on the same version.",
      { expected: "one version of faultcore per process" },
    );
  }
  const runtime = new Runtime();
  Object.defineProperty(anchor, kRuntime, { value: runtime, configurable: true, enumerable: false });
  return runtime;
}
