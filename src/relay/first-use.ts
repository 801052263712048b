/** `connection_error` on a flow that was open before its scope: it fails at its first use there. */
import { planFirstUse } from "../engine/connect.ts";
import type { FlowBinding } from "./binding.ts";
import { errnoOf } from "../internal/errnos.ts";

export interface FirstUseFailure {
  readonly scope: number;
  readonly errno: number;
  readonly atNs: number;
}

/** Rolls once per binding. The opener's connect has rolled already. */
export function rollFirstUse(binding: FlowBinding | undefined, nowNs: number): FirstUseFailure | undefined {
  if (binding === undefined || binding.fromConnect) return undefined;
  const { connectionError, uplink, downlink } = binding.policy.faults;
  const severity = binding.severity.at(nowNs);
  const failure = planFirstUse(connectionError, binding.key, nowNs, severity);
  if (failure === undefined) return undefined;
  binding.record(failure.decision);
  // The bytes travel up, the reset travels down.
  return { scope: binding.scope, errno: errnoOf(failure.code), atNs: nowNs + (uplink.latencyNs + downlink.latencyNs) * severity };
}
