/**
 * Connections that were open before a scope began, where the scope does not simply govern them (`existingConnections`).
 *
 * Invariants: a connection that another live scope or shield uses is never dropped; how many there are changes no draw of the scope, since
 * they count by themselves, down from -1.
 */
import { decisionAt } from "../engine/decisions.ts";
import type { Position } from "../engine/draw.ts";
import { UPLINK } from "../engine/types.ts";
import { clockNs } from "../internal/clock.ts";
import { judgeTargets } from "../policy/targets.ts";
import type { Shield } from "../scope/frames.ts";
import type { ScopeRecord } from "../scope/record.ts";
import { countFlow } from "../table/scopes.ts";
import { mayTouch, nameFlow } from "./flow-names.ts";
import type { FlowTarget, Named } from "./flow-names.ts";
import { recordLocal } from "./local-events.ts";
import type { LocalEventHost } from "./local-events.ts";

/** The place of the one event of a connection that was dropped. */
export const EXISTING_EXCHANGE = -3;

/** A flow, as far as it matters to scopes that begin later. */
export interface ExistingFlow extends FlowTarget {
  /** Number of the latest scope of the thread when the program called connect. */
  readonly since: number;
  /** The program has its connection, and has not closed it. */
  readonly open: boolean;
  /** What TLS asked the peer for, if anything. */
  serverName(): string | undefined;
  /** Whoever used it last, and whoever has requests on it. */
  users(): Iterable<ScopeRecord | Shield | undefined>;
  /** Both ends are reset, at once. */
  drop(): void;
}

function existedBefore(record: ScopeRecord, flow: ExistingFlow): boolean {
  return flow.since <= record.latestBefore;
}

/** Whether the scope leaves the flow alone because it was there before. */
export function isIgnored(record: ScopeRecord, flow: ExistingFlow): boolean {
  return record.existingConnections === "ignore" && existedBefore(record, flow);
}

/** Lists a flow that a scope leaves alone. */
export function listIgnored(record: ScopeRecord, flow: ExistingFlow, threadPath: string): Named {
  const named = nameFlow(record, flow, threadPath, true);
  named.info.governs = false;
  named.info.existing = mayTouch(record.policy, flow);
  return named;
}

/** A scope begins: resets what it is to drop. */
export function dropExisting(record: ScopeRecord, flows: Iterable<ExistingFlow>, host: LocalEventHost & { threadPath(): string }): void {
  if (record.existingConnections !== "drop") return;
  for (const flow of [...flows]) {
    if (!flow.open || !existedBefore(record, flow) || isUsed(flow)) continue;
    const { address, port, hostname, known } = flow;
    const subject = { protocol: "tcp", address, port, hostname: hostname ?? known?.hostname, sni: flow.serverName() } as const;
    const { governs, rule } = judgeTargets(record.policy.targets, subject);
    if (!governs) continue;
    const { info, key } = nameFlow(record, flow, host.threadPath(), true);
    Object.assign(info, { governs, rule, existing: true });
    const at: Position = { direction: UPLINK, exchange: EXISTING_EXCHANGE, cell: 0, split: 0 };
    const decision = decisionAt(at, clockNs(), 0, "existing_connections", "dropped", 0, "ECONNRESET");
    countFlow(host.table(), record.ref);
    recordLocal(host, decision, record.ref, key.flowHash);
    flow.drop();
  }
}

/** An activation is no user of its own: it takes up whatever is open. */
function isUsed(flow: ExistingFlow): boolean {
  for (const user of flow.users()) if (user?.live === true && !("ofProcess" in user && user.ofProcess)) return true;
  return false;
}
