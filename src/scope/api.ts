/**
 * All public functions of this layer, bound to one manager and one registry. The composition root makes one set per thread; the entry
 * exports it.
 */
import { OpenActivation } from "./activation.ts";
import type { PolicyFields } from "../policy/fields.ts";
import type { ScopeApi } from "./api-types.ts";
import { ContextStore } from "./context.ts";
import { Effects } from "./effects.ts";
import { OpenFaultScope, applySelected } from "./fault-scope.ts";
import { Faults } from "./fault.ts";
import { isInjected } from "./is-injected.ts";
import type { ScopeManager } from "./manager.ts";
import { FaultFeed } from "./on-fault.ts";
import { ACTIVATION_OPTIONS, SCOPE_OPTIONS, checkOptions } from "./options.ts";
import { Policies, checkFunction } from "./policies.ts";
import type { PolicySource } from "./policies.ts";
import type { FaultEvent } from "./record.ts";
import { runSpan } from "./run-span.ts";

/** What the composition root needs besides the public functions. */
export interface ScopeLayer {
  readonly api: ScopeApi;
  /** Throws what applying this policy would throw. */
  check(nameOrFields: string | PolicyFields): void;
  /** To be called with every event. */
  publish(event: FaultEvent): void;
  /** Whether anybody listens to every event as it happens. */
  heard(): boolean;
  /** How many selections are not over; 0 = nothing of them costs anything. */
  openContexts(): number;
}

/** Binds everything to one manager and one registry. The functions of `api` need no `this`. */
export function createScopeApi(host: {
  readonly manager: ScopeManager;
  readonly registry: PolicySource;
  /** A listener to events was added or removed. */
  readonly listenersChanged: () => void;
}): ScopeLayer {
  const { manager, registry } = host;
  const policies = new Policies(registry);
  const contexts = new ContextStore(policies);
  const faults = new Faults(manager, policies, contexts);
  const effects = new Effects(manager, policies);
  const feed = new FaultFeed(host.listenersChanged);

  const api: ScopeApi = {
    policyContext: (nameOrFields, ...rest: readonly unknown[]) => contexts.context(nameOrFields, rest),
    setContextPolicy: (name) => contexts.set(name),
    getContextPolicy: () => contexts.current()?.name ?? null,
    fault: (nameOrFields = "auto", options = {}) => faults.fault(nameOrFields, options),
    latency: (duration) => effects.latency(duration),
    jitter: (duration) => effects.jitter(duration),
    packetLoss: (probability) => effects.packetLoss(probability),
    burstLoss: (packets) => effects.burstLoss(packets),
    rate: (bitsPerSecond) => effects.rate(bitsPerSecond),
    timeout: (limits) => effects.timeout(limits),
    uplink: (direction) => effects.uplink(direction),
    downlink: (direction) => effects.downlink(direction),
    connectionError: (error) => effects.connectionError(error),
    correlatedLoss: (loss) => effects.correlatedLoss(loss),
    halfOpen: (death) => effects.halfOpen(death),
    packetDuplicate: (duplicates) => effects.packetDuplicate(duplicates),
    packetReorder: (reordering) => effects.packetReorder(reordering),
    dns: (lookups) => effects.dns(lookups),
    sessionBudget: (budget) => effects.sessionBudget(budget),
    payloadMutation: (mutation) => effects.payloadMutation(mutation),
    withFaults: (nameOrFields, fn, options = {}) => {
      checkFunction(fn, "withFaults()");
      checkOptions("withFaults()", options, SCOPE_OPTIONS);
      const record = manager.open(policies.required(nameOrFields, "withFaults()"), options);
      return applySelected(manager, contexts, record, manager.span(record), fn);
    },
    faultScope: (nameOrFields, options = {}) => {
      checkOptions("faultScope()", options, SCOPE_OPTIONS);
      return new OpenFaultScope(manager, contexts, policies.required(nameOrFields, "faultScope()"), options);
    },
    withoutFaults: (fn) => {
      checkFunction(fn, "withoutFaults()");
      return runSpan(manager.shield(), fn);
    },
    activate: (nameOrFields, options = {}) => {
      checkOptions("activate()", options, ACTIVATION_OPTIONS);
      return new OpenActivation(manager, policies, nameOrFields, options);
    },
    reset: () => {
      manager.endAll();
      contexts.reset();
      faults.reset();
      policies.clear();
    },
    isInjected,
    onFault: (listener) => feed.onFault(listener),
  };
  return {
    api,
    check: (nameOrFields) => void policies.required(nameOrFields, "checkPolicy()"),
    publish: (event) => feed.publish(event),
    heard: () => feed.wanted,
    openContexts: () => contexts.openCount(),
  };
}
