/** One application of a policy, as the program's thread knows it: identity, flows, events, counts. */
import { MAX_EVENTS } from "../internal/limits.ts";
import type { PolicyFields } from "../policy/fields.ts";
import type { CompiledPolicy } from "../policy/types.ts";
import type { ExistingConnections, ScopeOptions } from "./options.ts";

/** A decision as users see it. */
export interface FaultEvent {
  /** Milliseconds since the process's run began. */
  readonly timeMs: number;
  /**
   * Who the flow goes to, in the form that is the same in every run: `api.example:443`, `127.0.0.1:#0` (the first loopback port of the
   * scope); the name alone where it is looked up.
   */
  readonly target: string;
  /** Ordinal of the flow among those of the scope to this target. */
  readonly flow: number;
  readonly direction: "uplink" | "downlink";
  /** `exchange.cell.split`; `connect.n` for the n-th address tried; `lookup`; `existing` for a connection that the scope dropped as it began. */
  readonly position: string;
  readonly bytes: number;
  /** The policy field that caused the event, in snake_case; or `existing_connections`, for that option of the scope. */
  readonly fault: string;
  readonly decision: string;
  /** Delay that the decision adds, ms; `Infinity` for an open-ended hold. */
  readonly delayMs: number;
  readonly policy: string;
  /** Index of the deciding rule in the policy's `targets`; -1 where it has none. */
  readonly rule: number;
  readonly scope: number;
  readonly seed: string;
  /** Error code, where the decision raised one. */
  readonly code?: string;
}

/** What a scope knows of one of its flows. */
export interface FlowInfo {
  readonly target: string;
  readonly ordinal: number;
  readonly hostname: string | undefined;
  /** Somebody else looked the name up for this address. */
  readonly guessed?: boolean | undefined;
  readonly address: string;
  readonly port: number;
  /** Whether the policy touches the flow; undefined until the relay has judged its targets. */
  governs: boolean | undefined;
  rule: number;
  /** Uses of the flow that the policy left alone because of its `skip` or `times`. */
  skipped?: number;
  /** It was open before the scope began, and that decided. */
  existing?: boolean;
}

/** Times that were really measured. */
export interface MeasuredTimes {
  readonly count: number;
  readonly totalNs: number;
  readonly maxNs: number;
}

/** What the relays, and the faults on the program's own threads, counted and measured for a scope. */
export interface RowCounters {
  readonly flows: number;
  readonly injected: number;
  /** How many decisions there were, by cause: exact, also of those that were not kept as events. */
  readonly decisions: ReadonlyMap<string, number>;
  /** How long faults kept what they acted on, by fault. */
  readonly kept: ReadonlyMap<string, MeasuredTimes>;
  /** How late what was due happened. */
  readonly lateness: MeasuredTimes;
}

/** Flows that one scope remembers for its report. */
const MAX_FLOWS = 10_000;

let lastId = 0;

/** Number of the latest scope of this thread; 0 where there was none. */
export function latestScope(): number {
  return lastId;
}

export class ScopeRecord {
  /** Number of the scope in this thread, from 1. */
  readonly id: number = ++lastId;
  /** Reference of its row in the policy table. */
  readonly ref: number;
  readonly policy: CompiledPolicy;
  /** What was applied, in canonical form: effect wrappers inside add to it. */
  readonly fields: PolicyFields;
  /** Ordinal among the applications of the policy. */
  readonly ordinal: number;
  readonly seed: bigint;
  live = true;
  /** Fails when it has injected nothing by the end of its work; false once that was judged. */
  strict: boolean;
  readonly existingConnections: ExistingConnections;
  /** It applies to the whole process. */
  readonly ofProcess: boolean;
  /** Connections that were opened while this was the latest scope, or before, existed before this scope began. */
  readonly latestBefore: number;
  readonly flows: Map<bigint, FlowInfo> = new Map();
  readonly events: FaultEvent[] = [];
  /** Sockets that were used in the scope but opened before steering began. */
  unsteered = 0;
  /** Uses that the policy left alone because of its `skip` or `times`. */
  skipped = 0;
  /** Somebody else used one of its connections while an answer was due. */
  shared = false;
  /** Counters of the row when it was given back; undefined while it is still in the table. */
  finalCounters: RowCounters | undefined;
  readonly abort: AbortController = new AbortController();
  /** Stands behind the last one that has left: a new iterator would go through the places of all that have left. */
  readonly #oldestFlows = this.flows.keys();
  readonly #flowOrdinals = new Map<string, number>();
  readonly #portOrdinals = new Map<number, number>();

  constructor(init: {
    readonly ref: number;
    readonly policy: CompiledPolicy;
    readonly fields: PolicyFields;
    readonly ordinal: number;
    readonly seed: bigint;
    readonly options?: ScopeOptions;
    readonly ofProcess?: boolean;
    /** The application that this one takes the place of: what existed before that one existed before this one, and nothing else. */
    readonly replaced?: ScopeRecord | undefined;
  }) {
    this.strict = init.options?.strict ?? false;
    this.ofProcess = init.ofProcess ?? false;
    this.existingConnections = init.options?.existingConnections ?? "govern";
    this.latestBefore = init.replaced?.latestBefore ?? this.id - 1;
    this.ref = init.ref;
    this.policy = init.policy;
    this.fields = init.fields;
    this.ordinal = init.ordinal;
    this.seed = init.seed;
  }

  /**
   * The name of a target in flow keys: never an ephemeral port. On loopback, where test servers listen on port 0, the port is replaced
   * by its ordinal within the scope.
   */
  targetKey(host: string, port: number, loopback: boolean): string {
    const shown = host.includes(":") ? `[${host}]` : host;
    if (!loopback) return `${shown}:${port}`;
    let ordinal = this.#portOrdinals.get(port);
    if (ordinal === undefined) {
      ordinal = this.#portOrdinals.size;
      this.#portOrdinals.set(port, ordinal);
    }
    return `${shown}:#${ordinal}`;
  }

  nextFlowOrdinal(target: string): number {
    const ordinal = this.#flowOrdinals.get(target) ?? 0;
    this.#flowOrdinals.set(target, ordinal + 1);
    return ordinal;
  }

  addFlow(flowHash: bigint, flow: FlowInfo): void {
    // An activation can last for ever: the oldest flows are over by then, and only the report misses them.
    if (this.flows.size >= MAX_FLOWS) this.flows.delete(this.#oldestFlows.next().value as bigint);
    this.flows.set(flowHash, flow);
  }

  addEvent(event: FaultEvent): void {
    if (this.events.length < MAX_EVENTS) this.events.push(event);
  }
}
