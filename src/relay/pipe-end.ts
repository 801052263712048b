/** How a direction of a flow ends. */
import { errnoOf } from "./sockets.ts";

/** A FIN, or a reset that stands for this error (negative errno). */
export interface PipeEnd {
  readonly reset: boolean;
  readonly errno: number;
}

export const FIN: PipeEnd = { reset: false, errno: 0 };
export const RESET: PipeEnd = { reset: true, errno: errnoOf("ECONNRESET") };

/** What an error of the peer's socket means to the program. EPIPE is how the relay's own write learns of a reset. */
export function endOf(error: NodeJS.ErrnoException): PipeEnd {
  return error.errno === undefined || error.code === "EPIPE" ? RESET : { reset: true, errno: error.errno };
}
