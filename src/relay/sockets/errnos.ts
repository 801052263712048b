/** The numbers of errors on this platform, and their codes. */
import { getSystemErrorMap } from "node:util";

const errnos = new Map<string, number>();
for (const [errno, [code]] of getSystemErrorMap()) errnos.set(code, errno);

/** The negative errno of a code on this platform; -1 (EPERM) where the platform does not know it. */
export function errnoOf(code: string): number {
  return errnos.get(code) ?? -1;
}

/** The code of a negative errno. */
export function codeOf(errno: number): string {
  return getSystemErrorMap().get(errno)?.[0] ?? "UNKNOWN";
}
