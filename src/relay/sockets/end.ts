/** How a direction of a connection ends. */
import { errnoOf } from "../../internal/errnos.ts";

/** A FIN, or a reset that stands for this error (negative errno). */
export interface End {
  readonly reset: boolean;
  readonly errno: number;
}

export const FIN: End = { reset: false, errno: 0 };
export const RESET: End = { reset: true, errno: errnoOf("ECONNRESET") };

const EPIPE = errnoOf("EPIPE");

/** What an error of a socket means. EPIPE is how the relay's own write learns of a reset. */
export function endOf(errno: number | undefined): End {
  return errno === undefined || errno === EPIPE ? RESET : { reset: true, errno };
}
