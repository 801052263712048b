/**
 * Name lookups as flows: which scope governs one, what is to happen to it, and what its answer teaches.
 *
 * Invariant: a lookup that no scope with `dns` faults governs costs one object, and is no flow.
 */
import { hashFlowKey } from "../engine/draw.ts";
import { planLookup } from "../engine/faults/dns.ts";
import { Severity } from "../engine/faults/schedule.ts";
import { clockNs } from "../internal/clock.ts";
import { LookupWaits } from "../local/lookups.ts";
import { normaliseHostname } from "../policy/hostnames.ts";
import type { UseKind } from "../policy/registry.ts";
import { judgeLookup } from "../policy/targets.ts";
import type { FlowInfo, ScopeRecord } from "../scope/record.ts";
import type { Lookup, LookupFate, LookupKind } from "../steer/router.ts";
import { ScopeMeasures } from "../table/measures.ts";
import { countFlow, readScope } from "../table/scopes.ts";
import { HostNames } from "./host-names.ts";
import { recordLocal } from "./local-events.ts";
import type { LocalEventHost } from "./local-events.ts";

export interface LookupHost extends LocalEventHost {
  threadPath(): string;
  /** Counts a use; false where the policy leaves it alone (`skip`, `times`). */
  takeUse(record: ScopeRecord, kind: UseKind): boolean;
}

export class Lookups {
  readonly names: HostNames = new HostNames();
  readonly #host: LookupHost;
  readonly #waits = new LookupWaits();

  constructor(host: LookupHost) {
    this.#host = host;
  }

  /** A name is looked up by whom this scope governs (undefined: nobody). */
  begin(record: ScopeRecord | undefined, name: string, kind: LookupKind): Lookup {
    const hostname = normaliseHostname(name);
    // What is no host name, such as `127.1`, is left alone: it is not looked up anywhere.
    if (hostname === undefined) return { fate: undefined, found: () => {} };
    return {
      fate: record === undefined ? undefined : this.#fate(record, hostname, kind),
      found: (addresses) => this.names.learn(record, hostname, addresses),
    };
  }

  scopeEnded(scope: number): void {
    this.#waits.scopeEnded(scope);
  }

  #fate(record: ScopeRecord, hostname: string, kind: LookupKind): LookupFate | undefined {
    const { policy, ref } = record;
    const { dns, schedule } = policy.faults;
    if (dns === undefined) return undefined;
    const table = this.#host.table();
    const row = readScope(table, ref);
    if (row === undefined) return undefined;
    const ordinal = record.nextFlowOrdinal(hostname);
    const flowHash = hashFlowKey({
      policyKeyHash: policy.keyHash,
      scopeOrdinal: record.ordinal,
      target: hostname,
      flowOrdinal: ordinal,
      threadPath: this.#host.threadPath(),
    });
    const { governs, rule } = judgeLookup(policy.targets, hostname);
    const info: FlowInfo = { target: hostname, ordinal, hostname, address: "", port: 0, governs, rule };
    record.addFlow(flowHash, info);
    if (!governs) return undefined;
    if (!this.#host.takeUse(record, "lookup")) {
      info.governs = false;
      info.skipped = 1;
      return undefined;
    }
    countFlow(table, ref);
    const severity = new Severity(schedule, row.anchorNs);
    const plan = planLookup(dns, kind, { seed: row.seed, flowHash }, severity, clockNs());
    if (plan.delayNs === 0 && plan.failure === undefined) return undefined;
    const measures = new ScopeMeasures(table, ref);
    return this.#waits.begin(ref, plan, (decision) => recordLocal(this.#host, decision, ref, flowHash), measures);
  }
}
