/** The schemas of the fault groups: `timeout`, `connection_error`, `dns` and so on, one each. */
import type { z } from "zod";
import type * as f from "./fields.ts";
import type { Read, Written } from "./fields.ts";
import {
  choice,
  duration,
  group,
  integer,
  positiveDuration,
  positiveSize,
  probability,
  rate,
  type GroupCheck,
  type ShapeOf,
} from "./leaves.ts";

const ERROR_KINDS = ["reset", "refused", "unreachable"] as const;
const MAX_BURST = 1_000_000;
const MAX_WINDOW = 65_535;
/** More copies than this of one packet are a mistake, and a danger. */
const MAX_EXTRA = 1_000;

/** A group whose fields all have defaults: none at all is a mistake all the same. */
const notEmpty: GroupCheck<object> = (fields, refuse) => {
  if (Object.values(fields).every((value) => value === undefined)) refuse([], "is empty", "at least one field");
};

/** The fields that a direction has as well as the policy itself. */
export const directionShape: ShapeOf<f.DirectionOf<Written>, f.DirectionOf<Read>> = {
  latency: duration("One-way delay of each packet.").optional(),
  jitter: duration("Extra delay of each packet, uniform from 0 to this.").optional(),
  packetLoss: probability("Probability that a packet is lost. On TCP this is the delay that retransmission causes.").optional(),
  burstLoss: integer("After a loss, this many packets in total are lost in a row. Default 1.", 1, MAX_BURST, { default: 1 }).optional(),
  rate: rate("Bits per second, or `unlimited`.").optional(),
};

/** One of `uplink` and `downlink`. */
export function directionSchema(): z.ZodType<f.DirectionOf<Read>, f.DirectionOf<Written>> {
  return group(directionShape);
}

export const timeoutSchema: z.ZodType<f.TimeoutOf<Read>, f.TimeoutOf<Written>> = group(
  {
    connect: positiveDuration("A connect attempt that takes longer fails with ETIMEDOUT.").optional(),
    recv: positiveDuration("A reply that takes longer than this after a write fails with ETIMEDOUT.").optional(),
  },
  (fields, refuse) => {
    if (fields.connect === undefined && fields.recv === undefined) refuse([], "sets no timeout", "connect, recv or both");
  },
);

export const correlatedLossSchema: z.ZodType<f.CorrelatedLossOf<Read>, f.CorrelatedLossOf<Written>> = group({
  pGoodToBad: probability("Probability to go from the good to the bad state, per packet."),
  pBadToGood: probability("Probability to go from the bad to the good state, per packet."),
  lossGood: probability("Probability of loss in the good state."),
  lossBad: probability("Probability of loss in the bad state."),
});

export const connectionErrorSchema: z.ZodType<f.ConnectionErrorOf<Read>, f.ConnectionErrorOf<Written>> = group({
  kind: choice("What the program sees: ECONNRESET, ECONNREFUSED or EHOSTUNREACH.", ERROR_KINDS),
  prob: probability("Probability per connect attempt, or per first use of an open flow. Default 100%.", { default: "100%" }).optional(),
});

export const halfOpenSchema: z.ZodType<f.HalfOpenOf<Read>, f.HalfOpenOf<Written>> = group(
  {
    after: positiveSize("Bytes, both directions together, after which the flow fails. Default: at the first use.").optional(),
    error: choice("How it fails; `silent` is neither FIN nor RST, and no more bytes. Default reset.", [...ERROR_KINDS, "silent"], {
      default: "reset",
    }).optional(),
  },
  notEmpty,
);

export const packetDuplicateSchema: z.ZodType<f.PacketDuplicateOf<Read>, f.PacketDuplicateOf<Written>> = group(
  {
    prob: probability("Probability that a packet is duplicated. Default 100%.", { default: "100%" }).optional(),
    maxExtra: integer("At most this many extra copies. Default 1.", 1, MAX_EXTRA, { default: 1 }).optional(),
  },
  notEmpty,
);

export const packetReorderSchema: z.ZodType<f.PacketReorderOf<Read>, f.PacketReorderOf<Written>> = group(
  {
    prob: probability("Probability that a packet is overtaken. Default 100%.", { default: "100%" }).optional(),
    maxDelay: positiveDuration("A packet is held back no longer than this. Default 50ms.", { default: "50ms" }).optional(),
    window: integer("A packet is overtaken by at most this many later ones. Default 1.", 1, MAX_WINDOW, { default: 1 }).optional(),
    stream: choice("On TCP: `wait` (head-of-line waiting) or `swap` (really swaps chunks). Default wait.", ["wait", "swap"], {
      default: "wait",
    }).optional(),
  },
  notEmpty,
);

export const dnsSchema: z.ZodType<f.DnsOf<Read>, f.DnsOf<Written>> = group(
  {
    delay: duration("Extra delay of a lookup.").optional(),
    timeout: positiveDuration("A lookup hangs this long and then fails with EAI_AGAIN (lookup) or ETIMEOUT (resolver).").optional(),
    nxdomain: probability("Probability that a lookup fails with ENOTFOUND.").optional(),
  },
  (fields, refuse) => {
    const empty = fields.delay === undefined && fields.timeout === undefined && fields.nxdomain === undefined;
    if (empty) refuse([], "has no effect", "delay, timeout or nxdomain");
  },
);

export const sessionBudgetSchema: z.ZodType<f.SessionBudgetOf<Read>, f.SessionBudgetOf<Written>> = group(
  {
    maxTx: positiveSize("Bytes that the program may send on a flow.").optional(),
    maxRx: positiveSize("Bytes that the program may receive on a flow.").optional(),
    maxOps: integer("Operations that a flow may carry: a request, a response or a datagram each.", 1, Number.MAX_SAFE_INTEGER).optional(),
    maxDuration: positiveDuration("Time that a flow may be used.").optional(),
    action: choice("What happens over budget. Default drop.", ["drop", "timeout", "connection_error"], { default: "drop" }).optional(),
    budgetTimeout: positiveDuration("With action `timeout`: how long the flow is silent before ETIMEDOUT.").optional(),
    error: choice("With action `connection_error`: what the program sees. Default reset.", ERROR_KINDS).optional(),
  },
  (fields, refuse) => {
    const { maxTx, maxRx, maxOps, maxDuration, action = "drop", budgetTimeout, error } = fields;
    const limited = [maxTx, maxRx, maxOps, maxDuration].some((limit) => limit !== undefined);
    if (!limited) refuse([], "has no limit", "max_tx, max_rx, max_ops or max_duration");
    if (action === "timeout" && budgetTimeout === undefined) {
      refuse(["budgetTimeout"], "is missing", "a duration, since the action is timeout");
    }
    if (action !== "timeout" && budgetTimeout !== undefined) {
      refuse(["budgetTimeout"], `has no meaning with the action ${action}`, 'the action "timeout", or no budget_timeout');
    }
    if (action !== "connection_error" && error !== undefined) {
      refuse(["error"], `has no meaning with the action ${action}`, 'the action "connection_error", or no error');
    }
  },
);
