/** The numbers of errors on this platform, and their codes. */
import { getSystemErrorMap } from "node:util";

const errnos = new Map<string, number>();
for (const [errno, [code]] of getSystemErrorMap()) errnos.set(code, errno);

/** The negative errno of a code of Node's; EINVAL's for what is none. */
export function errnoOf(code: string): number {
  return errnos.get(code) ?? (errnos.get("EINVAL") as number);
}

/** The code of a negative errno. */
export function codeOf(errno: number): string {
  return getSystemErrorMap().get(errno)?.[0] ?? "UNKNOWN";
}
