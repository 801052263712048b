/** Kinds of errors, by what a client's error, its causes and the errors in it are called. */
import { isInjected } from "faultcore";
import { WrongContent } from "./client.ts";

export type Kind = "reset" | "refused" | "unreachable" | "timeout" | "lookup";

const KINDS: Readonly<Record<Kind, RegExp>> = {
  reset:
    /\b(ECONNRESET|EPIPE|SOAK_CLOSED|UND_ERR_SOCKET|ERR_HTTP2_\w+|ERR_STREAM_PREMATURE_CLOSE|ECONNECTION|PROTOCOL_CONNECTION_LOST|CONNECTION_CLOSED|DISCONNECT)\b|hang up|Connection terminated|Connection is closed|Socket closed|Channel ended|Channel closed|Connection closed|Unexpected close|UNAVAILABLE|closed state/i,
  refused: /\b(ECONNREFUSED|CONNECTION_REFUSED)\b|UNAVAILABLE/,
  unreachable: /\bEHOSTUNREACH\b|UNAVAILABLE/,
  timeout:
    /\b(ETIMEDOUT|ETIMEOUT|SOAK_TOO_LATE|UND_ERR_\w+_TIMEOUT|TIMEOUT|PROTOCOL_SEQUENCE_TIMEOUT)\b|timeout|timed out|DEADLINE_EXCEEDED/i,
  lookup: /\b(ENOTFOUND|EAI_AGAIN|ETIMEOUT|EDNS)\b|Name resolution failed/,
};

function wordsOf(error: unknown, depth = 0): string[] {
  if (typeof error !== "object" || error === null || depth > 5) return [String(error)];
  const { name, message, code, cause, errors } = error as NodeJS.ErrnoException & { cause?: unknown; errors?: unknown[] };
  const inner = [...(cause === undefined ? [] : [cause]), ...(errors ?? [])];
  return [`${name} ${code} ${message}`, ...inner.flatMap((one) => wordsOf(one, depth + 1))];
}

/** The first of the kinds that it is of, by its words or as what the client says of any end; undefined: it is of none of them. */
export function kindOf(error: unknown, among: readonly Kind[], ended: RegExp = /^$/): Kind | undefined {
  if (error instanceof WrongContent) return undefined;
  const words = wordsOf(error);
  return among.find((kind) => words.some((text) => KINDS[kind].test(text) || ended.test(text)));
}

/** For people: one line. */
export function lineOf(error: unknown): string {
  return `${wordsOf(error).join(" ← ")}${isInjected(error) ? " (injected)" : ""}`;
}
