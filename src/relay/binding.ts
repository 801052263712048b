/** A flow under a scope: the policy, whether its rules touch the flow, and the engines of the two directions. */
import { DirectionEngine } from "../engine/direction.ts";
import { Draws } from "../engine/draw.ts";
import { timeoutDecision } from "../engine/faults/timeout.ts";
import { faultBit, measureOne, PacketTimes } from "../engine/packet-times.ts";
import { Severity } from "../engine/faults/schedule.ts";
import type { Decision, Direction, DirectionFaults, DrawKey } from "../engine/types.ts";
import { DOWNLINK, UPLINK } from "../engine/types.ts";
import { judgeTargets } from "../policy/targets.ts";
import type { CompiledPolicy, TargetDecision } from "../policy/types.ts";
import type { Binding } from "../table/flows.ts";
import { ScopeMeasures } from "../table/measures.ts";
import { countFlow, readScope } from "../table/scopes.ts";
import type { ScopeRow } from "../table/scopes.ts";
import type { RelayContext } from "./context.ts";
import type { DialMessage } from "./protocol.ts";

export class FlowBinding {
  readonly scope: number;
  readonly flowHash: bigint;
  readonly policy: CompiledPolicy;
  readonly key: DrawKey;
  /** How severely the policy acts, and when. */
  readonly severity: Severity;
  /** Whether the opener's connect rolled the connection faults already: then a first use does not roll again. */
  readonly fromConnect: boolean;
  /** When the binding came into force. */
  readonly boundAtNs: number;
  up: DirectionEngine | undefined;
  down: DirectionEngine | undefined;
  readonly measures: ScopeMeasures;
  readonly #context: RelayContext;

  /** `bornAtNs`: when the flow was connected, if this binding's scope opened it. */
  constructor(context: RelayContext, binding: Binding, { policy, row }: Judged, bornAtNs: number | undefined) {
    this.#context = context;
    this.scope = binding.scope;
    this.measures = new ScopeMeasures(context.table, binding.scope);
    this.flowHash = binding.flowHash;
    this.policy = policy;
    this.key = { seed: row.seed, flowHash: binding.flowHash };
    this.fromConnect = bornAtNs !== undefined && binding.sequence === 0;
    this.severity = new Severity(policy.faults.schedule, row.anchorNs);
    this.boundAtNs = (binding.sequence === 0 ? bornAtNs : undefined) ?? context.clock.nowNs();
  }

  /** Builds the engines; `peerRttNs` is the measured round trip to the real peer, which loss recovery adds to the configured one. */
  start(peerRttNs: number): void {
    this.up = this.#engine(UPLINK, peerRttNs);
    this.down = this.#engine(DOWNLINK, peerRttNs);
  }

  #engine(direction: Direction, peerRttNs: number): DirectionEngine | undefined {
    const { uplink, downlink, rateShare } = this.policy.faults;
    const faults = direction === UPLINK ? uplink : downlink;
    const backNs = meanDelayNs(direction === UPLINK ? downlink : uplink);
    // Also what is not delayed itself is acknowledged late.
    if (!shapesTcp(faults) && backNs === 0) return undefined;
    const rttNs = meanDelayNs(faults) + backNs + peerRttNs;
    const { key } = this;
    const severityAt = this.severity.constant ? undefined : (atNs: number): number => this.severity.at(atNs);
    const shared = rateShare === "scope" && faults.rateBps !== Infinity;
    const link = shared ? this.#context.link(this.scope, direction, faults.rateBps, severityAt) : undefined;
    const times = new PacketTimes(this.measures);
    const onDecision = (decision: Decision): void => this.record(decision);
    return new DirectionEngine({ direction, faults, key, rttNs, backNs, severityAt, link, times, onDecision });
  }

  /** `timeout.connect` of a connect that begins now. */
  connectNs(nowNs: number): number | undefined {
    return this.#timeoutActs(nowNs) ? this.policy.faults.timeout.connectNs : undefined;
  }

  /** `timeout.recv` of a request that is sent now. */
  recvNs(nowNs: number): number | undefined {
    return this.#timeoutActs(nowNs) ? this.policy.faults.timeout.recvNs : undefined;
  }

  #timeoutActs(nowNs: number): boolean {
    return this.severity.constant || this.severity.acts(new Draws(this.key), "timeout", nowNs);
  }

  /** The receive timeout that ended at `deadlineNs` is over. */
  recordReceiveTimeout(nowNs: number, deadlineNs: number): void {
    const { recvNs = 0 } = this.policy.faults.timeout;
    this.record(timeoutDecision({ direction: DOWNLINK, exchange: 0, cell: 0, split: 0 }, nowNs, recvNs));
    this.measures.late(nowNs - deadlineNs);
    measureOne(this.measures, faultBit("timeout"), recvNs + nowNs - deadlineNs);
  }

  record(decision: Decision): void {
    this.#context.record(this.scope, this.flowHash, decision);
  }
}

function meanDelayNs({ latencyNs, jitterNs }: DirectionFaults): number {
  return latencyNs + jitterNs / 2;
}

function shapesTcp(faults: DirectionFaults): boolean {
  const { latencyNs, jitterNs, lossPpm, correlatedLoss, rateBps, congestion, duplicate, reorder } = faults;
  const lossy = lossPpm > 0 || correlatedLoss !== undefined;
  const copied = duplicate !== undefined || reorder?.stream === "wait";
  return latencyNs > 0 || jitterNs > 0 || lossy || rateBps !== Infinity || congestion !== "none" || copied;
}

interface Judged {
  readonly decision: TargetDecision;
  readonly policy: CompiledPolicy;
  readonly row: ScopeRow;
}

/** Judges a flow by the rules of the binding's scope; undefined when the scope has ended. */
function judge(context: RelayContext, binding: Binding, dial: DialMessage, serverName: string | undefined): Judged | undefined {
  const row = readScope(context.table, binding.scope);
  const policy = row && context.policy(row.policyId, binding.scope);
  if (row === undefined || policy === undefined) return undefined;
  const { address, port, hostname } = dial;
  const decision = judgeTargets(policy.targets, { protocol: "tcp", address, port, hostname, sni: serverName });
  return { decision, policy, row };
}

function enter(context: RelayContext, binding: Binding, judged: Judged, bornAtNs: number | undefined): FlowBinding | undefined {
  const { governs, rule } = judged.decision;
  if (governs) countFlow(context.table, binding.scope);
  context.post({ type: "bound", scope: binding.scope, flowHash: binding.flowHash, governs, rule });
  return governs ? new FlowBinding(context, binding, judged, bornAtNs) : undefined;
}

/**
 * What a published binding means for a flow: the scope's policy when the scope is live and its targets touch the flow, else nothing
 * (the bytes pass). `serverName`: what TLS asks for, as far as it is known.
 */
export function resolveBinding(
  context: RelayContext,
  binding: Binding,
  dial: DialMessage,
  serverName: string | undefined,
): FlowBinding | undefined {
  const judged = judge(context, binding, dial, serverName);
  return judged && enter(context, binding, judged, dial.bound ? dial.startNs : undefined);
}

/**
 * What a binding in force means now that the server name is known: `current` stays where it still governs. One that comes to
 * govern the flow was not asked when it was connected.
 */
export function rejudgeBinding(
  context: RelayContext,
  binding: Binding,
  dial: DialMessage,
  serverNames: { readonly before: string | undefined; readonly now: string },
  current: FlowBinding | undefined,
): FlowBinding | undefined {
  const before = judge(context, binding, dial, serverNames.before);
  const now = judge(context, binding, dial, serverNames.now);
  if (before === undefined || now === undefined || before.decision.rule === now.decision.rule) return current;
  if (current === undefined) return enter(context, binding, now, undefined);
  const { governs, rule } = now.decision;
  context.post({ type: "bound", scope: binding.scope, flowHash: binding.flowHash, governs, rule });
  return governs ? current : undefined;
}
