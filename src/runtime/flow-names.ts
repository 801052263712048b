/** What flows are called in scopes: names never depend on ephemeral ports, times or other scopes. */
import { hashFlowKey } from "../engine/draw.ts";
import { isLoopback } from "../internal/addresses.ts";
import { judgeTargets } from "../policy/targets.ts";
import type { CompiledPolicy, TargetDecision } from "../policy/types.ts";
import type { FlowKey } from "../relay/flow-client.ts";
import type { FlowInfo, ScopeRecord } from "../scope/record.ts";
import type { KnownName } from "./host-names.ts";

/** Where a flow goes. */
export interface FlowTarget {
  readonly hostname: string | undefined;
  /** Where an address was asked for: the name that it was looked up by. */
  readonly known?: KnownName | undefined;
  readonly address: string;
  readonly port: number;
}

/** What a flow is called in a scope. */
export interface Named {
  readonly record: ScopeRecord;
  readonly key: FlowKey;
  readonly info: FlowInfo;
  /** A binding has this name; else only skipped uses had it so far. */
  used: boolean;
}

/**
 * Names a flow within a scope and remembers what stands behind the name. `existing`: the scope does not govern it, since it was there before;
 * it takes no number from those that come.
 */
export function nameFlow(
  record: ScopeRecord,
  { hostname, known, address, port }: FlowTarget,
  threadPath: string,
  existing: boolean = false,
): Named {
  // Never by a name that was looked up: what is known of an address depends on what ran before.
  const target = record.targetKey(hostname ?? address, port, isLoopback(address));
  const ordinal = existing ? -1 - record.nextFlowOrdinal(`${target} existing`) : record.nextFlowOrdinal(target);
  const flowHash = hashFlowKey({
    policyKeyHash: record.policy.keyHash,
    scopeOrdinal: record.ordinal,
    target,
    flowOrdinal: ordinal,
    threadPath,
  });
  const info: FlowInfo = {
    target,
    ordinal,
    hostname: hostname ?? known?.hostname,
    guessed: known?.guessed,
    address,
    port,
    governs: undefined,
    rule: -1,
  };
  record.addFlow(flowHash, info);
  return { record, key: { scope: record.ref, flowHash, ordinal }, info, used: false };
}

/** The policy's `skip` or `times` left a use of the flow alone. */
export function noteSkipped({ info, used }: Named): void {
  if (!used) info.governs = false;
  info.skipped = (info.skipped ?? 0) + 1;
}

/** What the policy's rules say of a flow of datagrams. */
export function judgeDatagrams({ targets }: CompiledPolicy, { address, port, hostname, known }: FlowTarget): TargetDecision {
  return judgeTargets(targets, { protocol: "udp", address: address.replace(/%.*$/, ""), port, hostname: hostname ?? known?.hostname });
}

/** Whether the policy's rules may touch a connection: a server name shows only later. */
export function mayTouch({ targets }: CompiledPolicy, { address, port, hostname, known }: FlowTarget): boolean {
  if (targets?.some(({ sni }) => sni !== undefined)) return true;
  return judgeTargets(targets, { protocol: "tcp", address, port, hostname: hostname ?? known?.hostname }).governs;
}
