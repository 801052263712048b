/** A host without a table and a relay, which writes down what it is told. */
import { expect } from "vitest";
import { PolicyRegistry } from "../../../src/policy/registry.ts";
import type { CompiledPolicy } from "../../../src/policy/types.ts";
import { createScopeApi } from "../../../src/scope/api.ts";
import type { ScopeApi } from "../../../src/scope/api-types.ts";
import { currentScope, frameHolders } from "../../../src/scope/frames.ts";
import { ScopeManager } from "../../../src/scope/manager.ts";
import type { ScopeHost } from "../../../src/scope/manager.ts";
import type { FaultEvent, RowCounters, ScopeRecord } from "../../../src/scope/record.ts";

export class FakeHost implements ScopeHost {
  readonly registry: PolicyRegistry;
  readonly begun: ScopeRecord[] = [];
  readonly ended: ScopeRecord[] = [];
  readonly aborted: ScopeRecord[] = [];
  readonly activations: (string | undefined)[] = [];
  readonly #decisions = new Map<ScopeRecord, Map<string, number>>();
  drained = 0;
  listenersChanged = 0;
  seed = 7n;
  injected = 0;

  constructor(registry: PolicyRegistry) {
    this.registry = registry;
  }

  begin(): number {
    return this.begun.length + 1;
  }

  began(record: ScopeRecord): void {
    this.begun.push(record);
  }

  end(record: ScopeRecord): void {
    this.ended.push(record);
  }

  drain(): void {
    this.drained++;
  }

  /** An event as the relay tells of one: it is counted too. */
  decided(record: ScopeRecord, made: FaultEvent): void {
    const decisions = this.#decisions.get(record) ?? new Map<string, number>();
    this.#decisions.set(record, decisions.set(made.fault, (decisions.get(made.fault) ?? 0) + 1));
    record.addEvent(made);
  }

  abort(record: ScopeRecord): void {
    this.aborted.push(record);
  }

  settle(): void {}

  runSeed(): bigint {
    return this.seed;
  }

  nextOrdinal(policy: CompiledPolicy): number {
    return this.registry.nextOrdinal(policy);
  }

  activate(record: ScopeRecord | undefined): void {
    this.activations.push(record?.policy.name);
  }

  counters(record: ScopeRecord): RowCounters {
    return {
      flows: record.flows.size,
      injected: this.injected,
      decisions: this.#decisions.get(record) ?? new Map(),
      kept: new Map(),
      lateness: { count: 0, totalNs: 0, maxNs: 0 },
    };
  }
}

export interface Layer extends ScopeApi {
  readonly manager: ScopeManager;
  readonly registry: PolicyRegistry;
  readonly host: FakeHost;
  readonly publish: (event: FaultEvent) => void;
  /** Fails when anything is still live or async tracking is on. */
  expectQuiet(): void;
}

export function makeLayer(): Layer {
  const registry = new PolicyRegistry();
  const host = new FakeHost(registry);
  const manager = new ScopeManager(host);
  const { api, publish, openContexts } = createScopeApi({ manager, registry, listenersChanged: () => host.listenersChanged++ });
  registry.register("slow", { latency: "50ms" });
  registry.register("lossy", { packet_loss: "1%" });
  const expectQuiet = (): void => {
    expect(host.ended.length).toBe(host.begun.length);
    expect(manager.liveCount()).toBe(0);
    expect(openContexts()).toBe(0);
    expect(frameHolders()).toBe(0);
  };
  return { ...api, manager, registry, host, publish, expectQuiet };
}

/** The policy that governs the running code. */
export function governing(): string | undefined {
  return currentScope()?.policy.name;
}

/** A turn of the event loop. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export function event(over: Partial<FaultEvent> = {}): FaultEvent {
  return {
    timeMs: 1,
    target: "127.0.0.1:#0",
    flow: 0,
    direction: "uplink",
    position: "0.0.0",
    bytes: 10,
    fault: "latency",
    decision: "delay",
    delayMs: 50,
    policy: "slow",
    rule: -1,
    scope: 1,
    seed: "7",
    ...over,
  };
}
