/** The parts of `node:dns` that no documented API names: the requests of the system's resolver and the channels of the DNS client. */
import dns from "node:dns";
import { FaultcoreError } from "../errors.ts";

/** A request as Node's JavaScript fills it in. `callback`, or `resolve` and `reject`, get what Node makes of the answer. */
interface Request {
  readonly hostname?: unknown;
  oncomplete?: unknown;
  callback?: unknown;
  resolve?: unknown;
  reject?: unknown;
}

/** Of `getaddrinfo`. */
export type LookupRequest = Request;
/** Of a query. */
export type QueryRequest = Request;

type Query = (this: ChannelHandle, request: QueryRequest, hostname: string) => number;

/** A channel: what stands behind each `Resolver`, and behind the module's own functions. */
export interface ChannelHandle {
  queryA: Query;
  readonly [query: `query${string}`]: Query;
  cancel(this: ChannelHandle): void;
}

export interface LookupInternals {
  readonly requests: LookupRequest;
  readonly channels: ChannelHandle;
}

/**
 * An address to the system's resolver, and a name to Node, which so makes a request: that shows its class. Nobody is asked, no file is
 * read.
 */
const SHORT_ADDRESS = "127.1";

/** The prototypes of both. */
export function findLookups(): LookupInternals {
  const request = dns.lookup(SHORT_ADDRESS, () => {}) as unknown as object | undefined;
  const channel = (new dns.Resolver() as unknown as { readonly _handle?: ChannelHandle })._handle;
  const requests = request && (Object.getPrototypeOf(request) as LookupRequest);
  const channels = channel && (Object.getPrototypeOf(channel) as ChannelHandle);
  if (requests && requests !== Object.prototype && channels && typeof channels.queryA === "function") return { requests, channels };
  throw new FaultcoreError(
    "ERR_FAULTCORE_INVALID_USE",
    `Name lookups cannot be steered in this process (Node ${process.version}): node:dns does not use the requests that faultcore knows. ` +
      "Another tool may have replaced them: import faultcore first.",
    { expected: "Node 20.19 or later with an unpatched node:dns" },
  );
}
