/** The faults of the soak, and how an operation under each may end, besides with its result. */
import type { PolicyFields } from "faultcore";
import type { Kind } from "./expected.ts";

export interface Fault {
  readonly name: string;
  readonly fields: PolicyFields;
  /** Kinds of errors that it may cause. None: every operation succeeds. */
  readonly may: readonly Kind[];
  /** The end may come behind the answer: whoever uses the connection next meets it, as where a server closes idle connections. */
  readonly lingers?: boolean;
  /** An operation takes at least as long, where it has the connection to itself. */
  readonly leastMs?: number;
}

/** They slow down: whoever shares a connection with one of them waits, and loses nothing. */
export const DELAYS: readonly Fault[] = [
  { name: "latency", fields: { latency: "12ms" }, may: [], leastMs: 24 },
  { name: "jitter", fields: { latency: "5ms", jitter: "5ms" }, may: [] },
  { name: "directions", fields: { uplink: { latency: "4ms" }, downlink: { latency: "9ms", rate: "8mbps" } }, may: [], leastMs: 13 },
  { name: "rate", fields: { rate: "10mbps" }, may: [] },
  { name: "rate, shared", fields: { rate: "20mbps", rateShare: "scope" }, may: [] },
  { name: "congestion", fields: { latency: "3ms", packetLoss: "500ppm", congestion: "cubic" }, may: ["timeout"] },
  { name: "packet_loss", fields: { latency: "3ms", packetLoss: "2%" }, may: ["timeout"] },
  { name: "burst_loss", fields: { packetLoss: "1%", burstLoss: 3 }, may: ["timeout"] },
  {
    name: "correlated_loss",
    fields: { correlatedLoss: { pGoodToBad: "1%", pBadToGood: "50%", lossGood: "0%", lossBad: "30%" } },
    may: ["timeout"],
  },
  { name: "packet_reorder", fields: { packetReorder: { prob: "20%", maxDelay: "8ms" } }, may: [] },
  { name: "packet_duplicate", fields: { packetDuplicate: { prob: "20%", maxExtra: 2 } }, may: [] },
  { name: "flapping latency", fields: { latency: "15ms", schedule: { kind: "flapping", on: "300ms", off: "200ms" } }, may: [] },
  { name: "spikes of loss", fields: { packetLoss: "20%", schedule: { kind: "spike", every: "2s", duration: "100ms" } }, may: ["timeout"] },
  { name: "ramp", fields: { latency: "20ms", schedule: { kind: "ramp", ramp: "1s", anchor: "scope" } }, may: [] },
  { name: "uses", fields: { latency: "10ms", skip: 1, times: 2 }, may: [] },
  { name: "timeout, long", fields: { latency: "2ms", timeout: { connect: "3s", recv: "3s" } }, may: ["timeout"] },
];

/** They end connections, or stall them for ever. */
export const ENDS: readonly Fault[] = [
  { name: "connection_error reset", fields: { connectionError: { kind: "reset", prob: "60%" } }, may: ["reset"] },
  { name: "connection_error refused", fields: { connectionError: { kind: "refused", prob: "60%" } }, may: ["refused", "reset"] },
  { name: "connection_error unreachable", fields: { connectionError: { kind: "unreachable", prob: "60%" } }, may: ["unreachable"] },
  { name: "half_open reset", fields: { halfOpen: { error: "reset" } }, may: ["reset"] },
  { name: "half_open reset later", fields: { latency: "2ms", halfOpen: { after: "700b", error: "reset" } }, may: ["reset"] },
  { name: "half_open unreachable", fields: { halfOpen: { after: "300b", error: "unreachable" } }, may: ["unreachable"] },
  { name: "half_open silent", fields: { halfOpen: { error: "silent" } }, may: ["timeout"] },
  { name: "half_open silent later", fields: { halfOpen: { after: "600b", error: "silent" } }, may: ["timeout"] },
  { name: "timeout", fields: { latency: "40ms", timeout: { connect: "60ms", recv: "60ms" } }, may: ["timeout"] },
  { name: "budget, drop", fields: { sessionBudget: { maxTx: "500b", action: "drop" } }, may: ["timeout"] },
  { name: "budget, timeout", fields: { sessionBudget: { maxRx: "200b", action: "timeout", budgetTimeout: "80ms" } }, may: ["timeout"] },
  { name: "budget, operations", fields: { sessionBudget: { maxOps: 2, action: "connection_error" } }, may: ["reset"] },
  {
    name: "budget, time",
    fields: { latency: "15ms", sessionBudget: { maxDuration: "20ms", action: "connection_error" } },
    may: ["reset"],
    lingers: true,
  },
  { name: "total loss", fields: { packetLoss: "100%" }, may: ["timeout"] },
];

/** They act on lookups, so they need clients that connect in the scope, to a name. */
export const LOOKUPS: readonly Fault[] = [
  { name: "dns nxdomain", fields: { dns: { nxdomain: "70%" } }, may: ["lookup"] },
  { name: "dns timeout", fields: { dns: { timeout: "60ms" } }, may: ["lookup"] },
  { name: "dns delay", fields: { dns: { delay: "15ms" } }, may: [] },
];
