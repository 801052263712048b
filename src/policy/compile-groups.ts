/** The fault groups as the engine takes them: every default filled in. */
import type { BudgetFault, DnsFault, DuplicateFault, HalfOpenFault, MutationFault, ReorderFault, ScheduleFault } from "../engine/types.ts";
import type {
  DnsOf,
  HalfOpenOf,
  PacketDuplicateOf,
  PacketReorderOf,
  PayloadMutationOf,
  Read,
  ScheduleOf,
  SessionBudgetOf,
} from "./fields.ts";

export const CERTAIN_PPM = 1_000_000;
const DEFAULT_MAX_DELAY_NS = 50e6;
/** What a pattern may hold back where the policy does not say. */
const DEFAULT_MUTATION_BUFFER_BYTES = 65_536;

export function compileHalfOpen(fields: HalfOpenOf<Read> | undefined): HalfOpenFault | undefined {
  return fields && { afterBytes: fields.after, error: fields.error ?? "reset" };
}

export function compileDuplicate(fields: PacketDuplicateOf<Read> | undefined): DuplicateFault | undefined {
  return fields && { ppm: fields.prob ?? CERTAIN_PPM, maxExtra: fields.maxExtra ?? 1 };
}

export function compileReorder(fields: PacketReorderOf<Read> | undefined): ReorderFault | undefined {
  if (fields === undefined) return undefined;
  const { prob = CERTAIN_PPM, maxDelay = DEFAULT_MAX_DELAY_NS, window = 1, stream = "wait" } = fields;
  return { ppm: prob, maxDelayNs: maxDelay, window, stream };
}

export function compileDns(fields: DnsOf<Read> | undefined): DnsFault | undefined {
  return fields && { delayNs: fields.delay ?? 0, timeoutNs: fields.timeout, nxdomainPpm: fields.nxdomain ?? 0 };
}

export function compileBudget(fields: SessionBudgetOf<Read> | undefined): BudgetFault | undefined {
  return (
    fields && {
      maxTxBytes: fields.maxTx ?? Infinity,
      maxRxBytes: fields.maxRx ?? Infinity,
      maxOps: fields.maxOps ?? Infinity,
      maxDurationNs: fields.maxDuration ?? Infinity,
      action: fields.action ?? "drop",
      budgetTimeoutNs: fields.budgetTimeout ?? Infinity,
      error: fields.error ?? "reset",
    }
  );
}

/** Undefined where nothing would be changed: switched off, or of the type `none`. */
export function compileMutation(fields: PayloadMutationOf<Read> | undefined): MutationFault | undefined {
  if (fields === undefined || fields.enabled === false || fields.type === undefined || fields.type === "none") return undefined;
  return {
    type: fields.type,
    ppm: fields.prob ?? CERTAIN_PPM,
    uplink: fields.target !== "downlink_only",
    downlink: fields.target !== "uplink_only",
    truncateBytes: fields.truncateSize ?? 0,
    corruptCount: fields.corruptCount ?? 0,
    corruptSeed: fields.corruptSeed,
    injectPosition: fields.injectPosition ?? 0,
    injectData: fields.injectData ?? "",
    replaceFind: fields.replaceFind ?? "",
    replaceWith: fields.replaceWith ?? "",
    swapPos1: fields.swapPos1 ?? 0,
    swapPos2: fields.swapPos2 ?? 0,
    minBytes: fields.minSize ?? 0,
    maxBytes: fields.maxSize ?? Infinity,
    everyNPackets: fields.everyNPackets ?? 1,
    dryRun: fields.dryRun ?? false,
    maxBufferBytes: fields.maxBufferSize ?? DEFAULT_MUTATION_BUFFER_BYTES,
  };
}

export function compileSchedule(fields: ScheduleOf<Read> | undefined): ScheduleFault | undefined {
  if (fields === undefined) return undefined;
  const anchor = fields.anchor ?? "process";
  switch (fields.kind) {
    case "ramp":
      return { kind: "ramp", rampNs: fields.ramp, anchor };
    case "spike":
      return { kind: "spike", everyNs: fields.every, durationNs: fields.duration, anchor };
    case "flapping":
      return { kind: "flapping", onNs: fields.on, offNs: fields.off, anchor };
  }
}
