import type { planConnect } from "../../../../src/engine/connect.ts";
import type { DatagramDirection } from "../../../../src/engine/datagrams.ts";
import type { DirectionEngine } from "../../../../src/engine/direction.ts";
import type { planLookup } from "../../../../src/engine/faults/dns.ts";
import type { PayloadMutation } from "../../../../src/engine/faults/payload-mutation.ts";
import type { Severity } from "../../../../src/engine/faults/schedule.ts";

export function goldenScenarios(engine: {
  DatagramDirection: typeof DatagramDirection;
  DirectionEngine: typeof DirectionEngine;
  PayloadMutation: typeof PayloadMutation;
  planConnect: typeof planConnect;
  planLookup: typeof planLookup;
  Severity: typeof Severity;
}): Record<string, () => unknown>;
