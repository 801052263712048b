/** The parts of `node:dns` that no documented API names: the requests of the system's resolver and the channels of the DNS client. */
import dns from "node:dns";
import { originalOf } from "./patches.ts";

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

/**
 * An address to the system's resolver, and a name to Node, which so makes a request: that shows its class. Nobody is asked, no file is
 * read.
 */
const SHORT_ADDRESS = "127.1";

/** What all requests of the system's resolver inherit from; undefined while `dns.lookup` is not Node's own: a mock must not be called. */
export function findRequests(): LookupRequest | undefined {
  let { lookup } = dns;
  // Wrappers of instrumentation call what they wrap, and say what that is.
  for (let inner = originalOf(lookup); typeof inner === "function"; inner = originalOf(inner)) lookup = inner as typeof dns.lookup;
  // A mock may carry all properties of what it stands for, but not its text.
  const isOwn = Function.prototype.toString.call(lookup).includes("new GetAddrInfoReqWrap()");
  const request = isOwn ? (lookup(SHORT_ADDRESS, () => {}) as unknown) : undefined;
  if (typeof request !== "object" || request === null) return undefined;
  const prototype = Object.getPrototypeOf(request) as LookupRequest;
  return prototype === Object.prototype ? undefined : prototype;
}

/** What all channels inherit from; undefined while `dns.Resolver` is not Node's own. */
export function findChannels(): ChannelHandle | undefined {
  const { resolve4 } = dns.Resolver.prototype ?? {};
  if (typeof resolve4 !== "function") return undefined;
  const channel = (new dns.Resolver() as unknown as { readonly _handle?: ChannelHandle })._handle;
  const prototype = channel && (Object.getPrototypeOf(channel) as ChannelHandle);
  return typeof prototype?.queryA === "function" ? prototype : undefined;
}
