/** What a scope did, as plain data that survives JSON. */
import { FaultcoreError } from "../errors.ts";
import { MAX_EVENTS } from "../internal/limits.ts";
import type { CompiledPolicy } from "../policy/types.ts";
import { flowReport, ruleText } from "./flow-report.ts";
import type { FlowReport, RuleReport } from "./flow-report.ts";
import type { ScopeHost } from "./manager.ts";
import type { Applicable } from "./policies.ts";
import type { FaultEvent, MeasuredTimes, RowCounters, ScopeRecord } from "./record.ts";

const NO_TIMES: MeasuredTimes = { count: 0, totalNs: 0, maxNs: 0 };
const NOTHING_YET: RowCounters = { flows: 0, injected: 0, decisions: new Map(), kept: new Map(), lateness: NO_TIMES };

/** The report of one application of a policy. */
export interface ScopeReport {
  /** The policy's name; `inline:…` for inline fields. */
  readonly policy: string;
  /** Number of the scope in its thread, from 1; 0 before it began. */
  readonly scope: number;
  /** Which application of the policy this was, from 0. */
  readonly ordinal: number;
  /** The seed of all its decisions, decimal: give it as the policy's `seed` to get the same decisions again. */
  readonly seed: string;
  readonly state: "not started" | "live" | "ended";
  /** Decisions that delayed, lost or failed something. 0 means that the scope has changed nothing. */
  readonly injected: number;
  /** Flows that were used in the scope, in the order of their first use, also those that the policy's targets leave alone. */
  readonly flows: readonly FlowReport[];
  /** By fault, in the order in which they first acted. */
  readonly faults: Readonly<Record<string, FaultReport>>;
  /** Target rules that decided no flow: they did nothing. */
  readonly unmatchedRules: readonly RuleReport[];
  /** Faults that the policy has and that never acted: no flow, no chance, or no bad luck. */
  readonly silentFaults: readonly string[];
  /** Connects, requests and lookups that the policy left alone because of its `skip` or `times`. */
  readonly skipped: number;
  /** Sockets that were used in the scope and cannot be faulted, since they were opened before steering began. */
  readonly unsteered: number;
  /**
   * Whether another scope, or a call outside of all scopes, used one of its connections while an answer was due: their faults may have
   * mixed.
   */
  readonly shared: boolean;
  /**
   * How late things happened that had to wait for a time: by how much the machine missed what was asked for, and up to 0.25 ms
   * where packets of a backlog left together. Never early.
   */
  readonly lateness: MeasuredReport;
  readonly events: { readonly recorded: number; readonly kept: number; readonly dropped: number };
}

/** What one fault did. */
export interface FaultReport {
  /** How often it acted. */
  readonly count: number;
  /** Delay that was asked for, in ms, over the events that were kept. Holds without an end are not in it. */
  readonly delayMs: number;
  readonly maxDelayMs: number;
  /** Holds without an end, such as those of 100 % loss. */
  readonly held: number;
  /**
   * How long what the fault acted on was really kept, by the clock of whoever kept it: packets from their arrival in the relay until they
   * left, connects until they were dialled and then until they were answered, lookups, datagrams, timeouts. Where several faults act on one packet,
   * each has the whole time. Null where nothing was kept, or has left yet.
   */
  readonly measured: MeasuredReport | null;
  /** How often each error code was raised. */
  readonly codes: Readonly<Record<string, number>>;
}

/** Times that were measured, in ms. */
export interface MeasuredReport {
  readonly count: number;
  readonly meanMs: number;
  readonly maxMs: number;
}

/** Builds the report of a scope, or of one that has not begun. */
export function buildReport(host: ScopeHost, record: ScopeRecord | undefined, { policy, fields }: Applicable): ScopeReport {
  host.drain();
  const counters: RowCounters = record === undefined ? NOTHING_YET : host.counters(record);
  const events = record?.events ?? [];
  const flows = [...(record?.flows.values() ?? [])];
  const { decisions } = counters;
  const eventsOf = new Map<string, number>();
  for (const { target, flow } of events) eventsOf.set(flowName(target, flow), (eventsOf.get(flowName(target, flow)) ?? 0) + 1);
  const recorded = [...decisions.values()].reduce((total, count) => total + count, 0);
  return {
    policy: policy.name,
    scope: record?.id ?? 0,
    ordinal: record?.ordinal ?? 0,
    seed: `${record?.seed ?? policy.seed ?? host.runSeed()}`,
    state: record === undefined ? "not started" : record.live ? "live" : "ended",
    injected: counters.injected,
    flows: flows.map((flow) => flowReport(flow, policy, fields, eventsOf.get(flowName(flow.target, flow.ordinal)) ?? 0)),
    faults: Object.fromEntries(inOrder(decisions, events).map((fault) => [fault, faultReport(fault, counters, events)])),
    unmatchedRules: (policy.targets ?? [])
      .filter(({ index }) => !flows.some((flow) => flow.rule === index))
      .map(({ index }) => ({ index, text: ruleText(fields, index) })),
    silentFaults: configuredFaults(policy).filter((fault) => !decisions.has(fault)),
    skipped: record?.skipped ?? 0,
    unsteered: record?.unsteered ?? 0,
    shared: record?.shared ?? false,
    lateness: measuredReport(counters.lateness),
    // The counters are ahead of us while events are on their way; those are not lost.
    events: { recorded, kept: events.length, dropped: events.length < MAX_EVENTS ? 0 : recorded - events.length },
  };
}

/** What is thrown where a scope injected nothing (of this fault). */
export function nothingInjected(report: ScopeReport, fault: string | undefined): FaultcoreError {
  return new FaultcoreError("ERR_FAULTCORE_NOTHING_INJECTED", explainSilence(report, fault), {
    policy: report.policy,
    expected: fault === undefined ? "at least one injected fault" : `at least one event of ${fault}`,
  });
}

/** Why a scope injected nothing (of this fault), as far as its report can tell. */
function explainSilence(report: ScopeReport, fault: string | undefined): string {
  const { policy, state, flows, unmatchedRules, unsteered, silentFaults } = report;
  const reasons: string[] = [];
  if (state === "not started") reasons.push("it has not been run");
  else if (flows.length === 0)
    reasons.push("no connection, datagram or lookup was made in it, as far as its client tells for whom it writes");
  const touched = flows.filter(({ governed }) => governed !== false).length;
  if (flows.length > 0) reasons.push(`${touched} of its ${flows.length} flows are governed by the policy`);
  if (unmatchedRules.length > 0) reasons.push(`rules that matched nothing: ${unmatchedRules.map(({ text }) => text).join(", ")}`);
  if (unsteered > 0) reasons.push(`${unsteered} connections were opened before steering began`);
  if (fault !== undefined && !silentFaults.includes(fault)) reasons.push("the policy does not have this fault");
  const what = fault === undefined ? "nothing" : `no ${fault}`;
  return `The scope of policy "${policy}" injected ${what}: ${reasons.join("; ") || "its faults had no chance to act"}.`;
}

function flowName(target: string, ordinal: number): string {
  return `${target} ${ordinal}`;
}

function measuredReport({ count, totalNs, maxNs }: MeasuredTimes): MeasuredReport {
  return { count, meanMs: count === 0 ? 0 : totalNs / count / 1e6, maxMs: maxNs / 1e6 };
}

/** What has acted, in the order of the first events; what acted later than any that was kept stands at the end. */
function inOrder(decisions: ReadonlyMap<string, number>, events: readonly FaultEvent[]): string[] {
  return [...new Set([...events.map(({ fault }) => fault), ...decisions.keys()])];
}

function faultReport(fault: string, counters: RowCounters, events: readonly FaultEvent[]): FaultReport {
  const kept = counters.kept.get(fault);
  const codes: Record<string, number> = {};
  let delayMs = 0;
  let maxDelayMs = 0;
  let held = 0;
  for (const event of events) {
    if (event.fault !== fault) continue;
    if (event.code !== undefined) codes[event.code] = (codes[event.code] ?? 0) + 1;
    if (event.delayMs === Infinity) {
      held++;
      continue;
    }
    delayMs += event.delayMs;
    maxDelayMs = Math.max(maxDelayMs, event.delayMs);
  }
  const count = counters.decisions.get(fault) ?? 0;
  return { count, delayMs, maxDelayMs, held, measured: kept === undefined ? null : measuredReport(kept), codes };
}

/** The names that events have for what a policy can do. */
function configuredFaults({ faults }: CompiledPolicy): string[] {
  const { uplink, downlink, timeout, connectionError, halfOpen, dns, sessionBudget, mutation } = faults;
  const either = (has: (direction: typeof uplink) => boolean): boolean => has(uplink) || has(downlink);
  const configured: readonly (readonly [fault: string, has: boolean])[] = [
    ["latency", either(({ latencyNs }) => latencyNs > 0)],
    ["jitter", either(({ jitterNs }) => jitterNs > 0)],
    ["packet_loss", either(({ lossPpm }) => lossPpm > 0)],
    ["burst_loss", either(({ lossPpm, burst }) => lossPpm > 0 && burst > 1)],
    ["rate", either(({ rateBps }) => rateBps !== Infinity)],
    ["timeout", timeout.connectNs !== undefined || timeout.recvNs !== undefined],
    ["connection_error", connectionError !== undefined && connectionError.ppm > 0],
    ["correlated_loss", either(({ correlatedLoss }) => correlatedLoss !== undefined)],
    ["half_open", halfOpen !== undefined],
    ["packet_duplicate", either(({ duplicate }) => duplicate !== undefined && duplicate.ppm > 0)],
    ["packet_reorder", either(({ reorder }) => reorder !== undefined && reorder.ppm > 0)],
    ["dns", dns !== undefined],
    ["session_budget", sessionBudget !== undefined],
    ["payload_mutation", mutation !== undefined],
  ];
  return configured.filter(([, has]) => has).map(([fault]) => fault);
}
