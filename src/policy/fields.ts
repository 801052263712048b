/**
 * The fields of a policy as types. One declaration serves both forms of a value: as a user writes it, and as it is after reading.
 *
 * The schema (`schema.ts`) must have exactly these fields, which the compiler checks; the doc comments here are what an editor shows,
 * and the tests check that the JSON Schema says the same.
 */
import type { Spelled } from "./spelling.ts";
import type { TargetRule } from "./types.ts";

/** A time with a unit: `"50ms"`, `"0.5s"`, `"250us"`, `"2m"`. */
export type Duration = string;
/** Bits per second with a unit: `"10mbps"`, or `"unlimited"`. */
export type Rate = "unlimited" | (string & {});
/** Bytes with a unit: `"64b"`, `"16kb"` (decimal), `"64kib"` (binary). */
export type Size = string;
/** A probability with a unit: `"1%"`, `"500ppm"`. */
export type Probability = string;
/** A whole number, or one as text. */
export type Integer = number | string;
/** A whole number from 0 to 2^64−1; text may be decimal, `0x…` or `0b…`; over 2^53−1 it must be text or a bigint. */
export type Seed = number | string | bigint;

/** The values of a policy as it is written. */
export interface Written {
  readonly duration: Duration;
  readonly rate: Rate;
  readonly size: Size;
  readonly probability: Probability;
  readonly integer: Integer;
  readonly seed: Seed;
  readonly rule: string | TargetFields;
}

/** The values of a policy after reading: ns, bits per second (`Infinity` = unlimited), bytes, ppm. */
export interface Read {
  readonly duration: number;
  readonly rate: number;
  readonly size: number;
  readonly probability: number;
  readonly integer: number;
  readonly seed: bigint;
  readonly rule: TargetRule;
}

type Values = Written | Read;
type ErrorKind = "reset" | "refused" | "unreachable";

export interface DirectionOf<V extends Values> {
  /** One-way delay of each packet. */
  latency?: V["duration"] | undefined;
  /** Extra delay of each packet, uniform from 0 to this. */
  jitter?: V["duration"] | undefined;
  /** Probability that a packet is lost. On TCP this is the delay that retransmission causes. */
  packetLoss?: V["probability"] | undefined;
  /** After a loss, this many packets in total are lost in a row. Default 1. */
  burstLoss?: V["integer"] | undefined;
  /** Bits per second, or `unlimited`. */
  rate?: V["rate"] | undefined;
}

export interface TimeoutOf<V extends Values> {
  /** A connect attempt that takes longer fails with ETIMEDOUT. */
  connect?: V["duration"] | undefined;
  /** A reply that takes longer than this after a write fails with ETIMEDOUT. */
  recv?: V["duration"] | undefined;
}

export interface CorrelatedLossOf<V extends Values> {
  /** Probability to go from the good to the bad state, per packet. */
  pGoodToBad: V["probability"];
  /** Probability to go from the bad to the good state, per packet. */
  pBadToGood: V["probability"];
  /** Probability of loss in the good state. */
  lossGood: V["probability"];
  /** Probability of loss in the bad state. */
  lossBad: V["probability"];
}

export interface ConnectionErrorOf<V extends Values> {
  /** What the program sees: ECONNRESET, ECONNREFUSED or EHOSTUNREACH. */
  kind: ErrorKind;
  /** Probability per connect attempt, or per first use of an open flow. Default 100%. */
  prob?: V["probability"] | undefined;
}

export interface HalfOpenOf<V extends Values> {
  /** Bytes, both directions together, after which the flow fails. Default: at the first use. */
  after?: V["size"] | undefined;
  /** How it fails; `silent` is neither FIN nor RST, and no more bytes. Default reset. */
  error?: ErrorKind | "silent" | undefined;
}

export interface PacketDuplicateOf<V extends Values> {
  /** Probability that a packet is duplicated. Default 100%. */
  prob?: V["probability"] | undefined;
  /** At most this many extra copies. Default 1. */
  maxExtra?: V["integer"] | undefined;
}

export interface PacketReorderOf<V extends Values> {
  /** Probability that a packet is overtaken. Default 100%. */
  prob?: V["probability"] | undefined;
  /** A packet is held back no longer than this. Default 50ms. */
  maxDelay?: V["duration"] | undefined;
  /** A packet is overtaken by at most this many later ones. Default 1. */
  window?: V["integer"] | undefined;
  /** On TCP: `wait` (head-of-line waiting) or `swap` (really swaps chunks). Default wait. */
  stream?: "wait" | "swap" | undefined;
}

export interface DnsOf<V extends Values> {
  /** Extra delay of a lookup. */
  delay?: V["duration"] | undefined;
  /** A lookup hangs this long and then fails with EAI_AGAIN (lookup) or ETIMEOUT (resolver). */
  timeout?: V["duration"] | undefined;
  /** Probability that a lookup fails with ENOTFOUND. */
  nxdomain?: V["probability"] | undefined;
}

export interface SessionBudgetOf<V extends Values> {
  /** Bytes that the program may send on a flow. */
  maxTx?: V["size"] | undefined;
  /** Bytes that the program may receive on a flow. */
  maxRx?: V["size"] | undefined;
  /** Operations that a flow may carry: a request, a response or a datagram each. */
  maxOps?: V["integer"] | undefined;
  /** Time that a flow may be used. */
  maxDuration?: V["duration"] | undefined;
  /** What happens over budget. Default drop. */
  action?: "drop" | "timeout" | "connection_error" | undefined;
  /** With action `timeout`: how long the flow is silent before ETIMEDOUT. */
  budgetTimeout?: V["duration"] | undefined;
  /** With action `connection_error`: what the program sees. Default reset. */
  error?: ErrorKind | undefined;
}

export type MutationType = "none" | "truncate" | "corrupt_bytes" | "inject_bytes" | "replace_pattern" | "corrupt_encoding" | "swap_bytes";

export interface PayloadMutationOf<V extends Values> {
  /** Whether the mutation acts. Default true. */
  enabled?: boolean | undefined;
  /** Probability per packet. Default 100%. */
  prob?: V["probability"] | undefined;
  /** What is done to the bytes. Needed unless `enabled` is false. */
  type?: MutationType | undefined;
  /** The direction that it acts on. Default both. */
  target?: "both" | "uplink_only" | "downlink_only" | undefined;
  /** truncate: bytes of a packet that are kept. */
  truncateSize?: V["size"] | undefined;
  /** corrupt_bytes: how many bytes of a packet are changed. */
  corruptCount?: V["integer"] | undefined;
  /** corrupt_bytes: a seed of its own for the choice of bytes. Default: the policy's. */
  corruptSeed?: V["seed"] | undefined;
  /** inject_bytes: offset in the packet at which the data goes in. Default 0. */
  injectPosition?: V["integer"] | undefined;
  /** inject_bytes: the text (UTF-8) that goes in. */
  injectData?: string | undefined;
  /** replace_pattern: the text (UTF-8) that is looked for, across chunk borders too. */
  replaceFind?: string | undefined;
  /** replace_pattern: the text (UTF-8) that takes its place; may be empty. */
  replaceWith?: string | undefined;
  /** swap_bytes: offset of one byte. */
  swapPos1?: V["integer"] | undefined;
  /** swap_bytes: offset of the other byte. */
  swapPos2?: V["integer"] | undefined;
  /** Smaller packets are left alone. */
  minSize?: V["size"] | undefined;
  /** Bigger packets are left alone. */
  maxSize?: V["size"] | undefined;
  /** Acts on every n-th packet only. Default 1. */
  everyNPackets?: V["integer"] | undefined;
  /** Records what would be done and changes nothing. Default false. */
  dryRun?: boolean | undefined;
  /** Bytes that are held back at most while a pattern may go on in the next chunk. */
  maxBufferSize?: V["size"] | undefined;
}

interface Anchored {
  /** What starts the clock: the first application of the policy in the process, or each scope. Default process. */
  anchor?: "process" | "scope" | undefined;
}

export interface RampOf<V extends Values> extends Anchored {
  kind: "ramp";
  /** Time in which the severity grows from 0 to 1. */
  ramp: V["duration"];
}

export interface SpikeOf<V extends Values> extends Anchored {
  kind: "spike";
  /** Time from the start of one spike to the start of the next. */
  every: V["duration"];
  /** Length of a spike; at most `every`. */
  duration: V["duration"];
}

export interface FlappingOf<V extends Values> extends Anchored {
  kind: "flapping";
  /** How long the faults are on; the schedule starts on. */
  on: V["duration"];
  /** How long the faults are off. */
  off: V["duration"];
}

export type ScheduleOf<V extends Values> = RampOf<V> | SpikeOf<V> | FlappingOf<V>;

export interface PolicyOf<V extends Values> extends DirectionOf<V> {
  /** Faults of the direction app → peer; what is given here wins over the general fields. */
  uplink?: DirectionOf<V> | undefined;
  /** Faults of the direction peer → app; what is given here wins over the general fields. */
  downlink?: DirectionOf<V> | undefined;
  /** `flow`: each connection has its own link; `scope`: all flows of the scope share one. Default flow. */
  rateShare?: "flow" | "scope" | undefined;
  /** Window of the virtual TCP sender. Default cubic where packets are lost, none elsewhere. */
  congestion?: "reno" | "cubic" | "none" | undefined;
  /** Gilbert-Elliott loss; replaces `packetLoss`. All four probabilities are needed. */
  correlatedLoss?: CorrelatedLossOf<V> | undefined;
  /** Limits that slow operations run into; operations that are fast enough are not disturbed. */
  timeout?: TimeoutOf<V> | undefined;
  /** Connects that fail, and open flows that are reset. */
  connectionError?: ConnectionErrorOf<V> | undefined;
  /** Flows that die in use, with an error or silently. */
  halfOpen?: HalfOpenOf<V> | undefined;
  /** Datagrams that arrive more than once. */
  packetDuplicate?: PacketDuplicateOf<V> | undefined;
  /** Packets that are overtaken by later ones. */
  packetReorder?: PacketReorderOf<V> | undefined;
  /** Faults of name lookups; never of IP literals. */
  dns?: DnsOf<V> | undefined;
  /** Limits per flow, and what happens over them. At least one limit is needed. */
  sessionBudget?: SessionBudgetOf<V> | undefined;
  /** Changes the bytes themselves. The only fault that does. */
  payloadMutation?: PayloadMutationOf<V> | undefined;
  /** The policy leaves this many uses alone first. Default 0. */
  skip?: V["integer"] | undefined;
  /** The policy governs this many uses only. Default: all. */
  times?: V["integer"] | undefined;
  /** Which flows the policy touches: texts such as `tcp://10.0.0.0/8:443`, or mappings. Default: all. */
  targets?: readonly V["rule"][] | undefined;
  /** When, and how severely, the faults act. */
  schedule?: ScheduleOf<V> | undefined;
  /** Whole number from 0 to 2^64-1: the same seed makes the same decisions. Default: the run's seed. */
  seed?: V["seed"] | undefined;
}

/** A target rule as a mapping. One of `target`, `host`, `cidr`, `hostname` and `sni` is needed. */
export interface TargetFields {
  /** A rule as text: `[any|tcp|udp://](ipv4 | [ipv6] | ipv4/n | [ipv6]/n | hostname)[:port]`. Goes with `priority` and `exclude` only. */
  target?: string | undefined;
  /** One IP address. */
  host?: string | undefined;
  /** A network, such as `10.0.0.0/8`. */
  cidr?: string | undefined;
  /** A host name; a leading `*.` stands for any depth, never for the name itself. */
  hostname?: string | undefined;
  /** The server name of a TLS handshake; a leading `*.` as in `hostname`. */
  sni?: string | undefined;
  /** A port, a range `8000-9000` or a list `80,443`. Default: any. */
  port?: number | string | undefined;
  /** Default any. */
  protocol?: "any" | "tcp" | "udp" | undefined;
  /** 0 to 65535: of the rules that match, the one with the highest priority decides. Default 100. */
  priority?: number | string | undefined;
  /** Whether the flows that this rule decides are left alone. Default false. */
  exclude?: boolean | undefined;
}

/** What a policy consists of, as a user writes it. Multi-word fields have two spellings: `packetLoss` and `packet_loss`. */
export type PolicyFields = Spelled<PolicyOf<Written>>;
export type DirectionFields = Spelled<DirectionOf<Written>>;
export type TimeoutFields = Spelled<TimeoutOf<Written>>;
export type CorrelatedLossFields = Spelled<CorrelatedLossOf<Written>>;
export type ConnectionErrorFields = Spelled<ConnectionErrorOf<Written>>;
export type HalfOpenFields = Spelled<HalfOpenOf<Written>>;
export type PacketDuplicateFields = Spelled<PacketDuplicateOf<Written>>;
export type PacketReorderFields = Spelled<PacketReorderOf<Written>>;
export type DnsFields = Spelled<DnsOf<Written>>;
export type SessionBudgetFields = Spelled<SessionBudgetOf<Written>>;
export type PayloadMutationFields = Spelled<PayloadMutationOf<Written>>;
export type ScheduleFields = Spelled<ScheduleOf<Written>>;
