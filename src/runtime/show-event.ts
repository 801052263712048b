/** From a decision of the relay to an event as users see it. */
import { LOOKUP_EXCHANGE } from "../engine/faults/dns.ts";
import { EXISTING_EXCHANGE } from "./existing-connections.ts";
import type { FlowEvent } from "../engine/types.ts";
import type { FaultEvent, ScopeRecord } from "../scope/record.ts";

export function showEvent(event: FlowEvent, record: ScopeRecord, runStartNs: number): FaultEvent {
  const flow = record.flows.get(event.flowHash);
  return {
    timeMs: (event.atNs - runStartNs) / 1e6,
    target: flow?.target ?? "",
    flow: flow?.ordinal ?? 0,
    direction: event.direction === 0 ? "uplink" : "downlink",
    position: positionText(event),
    bytes: event.bytes,
    fault: event.fault,
    decision: event.decision,
    delayMs: event.delayNs / 1e6,
    policy: record.policy.name,
    rule: flow?.rule ?? -1,
    scope: record.id,
    seed: record.seed.toString(),
    ...(event.code === undefined ? {} : { code: event.code }),
  };
}

function positionText({ exchange, cell, split }: FlowEvent): string {
  if (exchange === LOOKUP_EXCHANGE) return "lookup";
  if (exchange === EXISTING_EXCHANGE) return "existing";
  return exchange < 0 ? `connect.${cell}` : `${exchange}.${cell}.${split}`;
}
