import type { planConnect } from "../../../../src/engine/connect.ts";
import type { DirectionEngine } from "../../../../src/engine/direction.ts";

export function goldenScenarios(engine: {
  DirectionEngine: typeof DirectionEngine;
  planConnect: typeof planConnect;
}): Record<string, () => unknown>;
