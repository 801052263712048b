/**
 * The engine: pure decisions about packets and connect attempts. This is the only file of the folder that others import, beside `types.ts`.
 *
 * Owns: the models of the faults, and every draw.
 * Never: reads a clock, sets a timer, calls `Math.random`, touches a socket or a byte, imports `node:*`. Time comes in as nanoseconds.
 * Invariants: same key, same conversation → same decisions, on every platform: only + − × ÷, floor and comparison take part in them.
 */
export {
  connectTimeoutDecision,
  planConnect,
  planFirstUse,
  type ConnectFailure,
  type ConnectOptions,
  type ConnectPlan,
  type FirstUseFailure,
  type SynProfile,
} from "./connect.ts";
export { DirectionEngine, type DirectionOptions } from "./direction.ts";
export { hashFlowKey, hashText, type FlowKeyParts } from "./draw.ts";
export { Link } from "./faults/rate.ts";
export { RecvTimeout } from "./faults/timeout.ts";
export type { FlowFailure } from "./lane.ts";
