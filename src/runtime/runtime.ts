/**
 * The composition root: the only folder that joins the layers.
 *
 * Owns: the life of what a thread has at most one of (patches, relay, table), and what the layers ask of each other.
 */
import { threadId } from "node:worker_threads";
import { serialize } from "node:v8";
import type { FlowEvent } from "../engine/types.ts";
import { FaultcoreError } from "../errors.ts";
import { clockNs } from "../internal/clock.ts";
import { PolicyRegistry } from "../policy/registry.ts";
import type { UseKind } from "../policy/registry.ts";
import type { CompiledPolicy } from "../policy/types.ts";
import { RelayClient } from "../relay/client.ts";
import type { ClientListener } from "../relay/client.ts";
import type { BoundMessage } from "../relay/protocol.ts";
import { createScopeApi } from "../scope/api.ts";
import type { ScopeLayer } from "../scope/api.ts";
import { ScopeManager } from "../scope/manager.ts";
import type { ScopeHost } from "../scope/manager.ts";
import type { RowCounters, ScopeRecord } from "../scope/record.ts";
import { activationRef, endScope, freeScope, hasActivation, openScope, setActivation } from "../table/scopes.ts";
import { PolicyTable } from "../table/table.ts";
import { Datagrams } from "./datagram-router.ts";
import type { DatagramHost } from "./datagram-router.ts";
import { ForeignActivation } from "./foreign-activation.ts";
import { bequeath, lockOwner, readInheritance } from "./inheritance.ts";
import type { Inheritance } from "./inheritance.ts";
import { Lookups } from "./lookups.ts";
import { DEFAULT_OPTIONS } from "./options.ts";
import type { RuntimeOptions } from "./options.ts";
import { patchNode } from "./patch-node.ts";
import type { PatchedNode } from "./patch-node.ts";
import { FlowRouter } from "./router.ts";
import { rowCounters } from "./row-counters.ts";
import type { RouterHost } from "./router-host.ts";
import { randomSeed, seedFromEnvironment } from "./seed.ts";
import { showEvent } from "./show-event.ts";
import { takeUse } from "./uses.ts";
import { warnRelayDied, warnUnsteered } from "./warnings.ts";

/** Changes when runtimes of different versions could not work on each other's objects. */
export const ABI = 1;

export class Runtime implements ScopeHost, RouterHost, DatagramHost, ClientListener {
  readonly abi: number = ABI;
  readonly registry: PolicyRegistry = new PolicyRegistry();
  readonly scopes: ScopeManager = new ScopeManager(this);
  readonly lookups: Lookups = new Lookups(this);
  readonly router: FlowRouter = new FlowRouter(this);
  readonly datagrams: Datagrams = new Datagrams(this);
  readonly layer: ScopeLayer = createScopeApi({ manager: this.scopes, registry: this.registry, listenersChanged: () => this.setHeard() });
  readonly startNs: number = clockNs();
  readonly #inheritance: Inheritance | undefined = readInheritance();
  readonly #records = new Map<number, ScopeRecord>();
  options: RuntimeOptions = DEFAULT_OPTIONS;
  #table: PolicyTable | undefined;
  #client: RelayClient | undefined;
  #patched: PatchedNode | undefined;
  #seed: bigint | undefined;
  #warnedUnsteered = false;
  readonly #foreign = new ForeignActivation();

  constructor() {
    if (this.#inheritance !== undefined) {
      this.#table = new PolicyTable(this.#inheritance.table, lockOwner);
      this.#seed = this.#inheritance.seed;
      this.registry.restore(this.#inheritance.policies);
    }
    bequeath({
      table: () => this.table().buffer,
      seed: () => this.#seed,
      policies: () => this.registry.snapshot(),
    });
  }

  // ── life ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  get installed(): boolean {
    return this.#patched !== undefined;
  }

  /** Whether this thread shares the table of the thread that made it. */
  get inherited(): boolean {
    return this.#inheritance !== undefined;
  }

  /** Patches Node and starts the relay's thread. Repeating it with other options changes those that still can change. */
  install(options: Partial<RuntimeOptions> & { seed?: bigint | undefined } = {}): void {
    const { seed, ...rest } = options;
    const next: RuntimeOptions = { ...this.options, ...rest };
    if (this.#client !== undefined && (next.windowBytes !== this.options.windowBytes || next.precision !== this.options.precision)) {
      throw new FaultcoreError(
        "ERR_FAULTCORE_INVALID_USE",
        "install() cannot change `window` or `precision` any more: the relay runs already. Call install() before the first scope.",
        { expected: "the options that the relay was started with" },
      );
    }
    if (seed !== undefined) this.#seed = seed;
    // A bad FAULTCORE_SEED is refused here, before anything is started.
    this.runSeed();
    this.options = next;
    if (this.#patched === undefined) this.#patch();
    else this.#patched.patches.mend();
    this.client().start();
  }

  #patch(): void {
    this.#patched = patchNode(this.router, this.datagrams, {
      beforeExit: () => this.#client?.exit.holdProcess(),
      exit: () => {
        this.datagrams.blockExit();
        this.#client?.exit.block();
      },
    });
  }

  /** Takes all patches back. Flows that are open keep their relay until they close. */
  uninstall(): void {
    this.scopes.endAll();
    this.#patched?.patches.restoreAll();
    this.#patched = undefined;
    this.options = DEFAULT_OPTIONS;
    if (this.#client !== undefined && this.#client.openFlows === 0) {
      void this.#client.host.stop();
      this.#client = undefined;
    }
  }

  beforeConnect(): void {
    this.#patched?.late.complete();
  }

  table(): PolicyTable {
    this.#table ??= PolicyTable.create(lockOwner);
    return this.#table;
  }

  client(): RelayClient {
    this.#client ??= new RelayClient(this.table(), this.options, this);
    return this.#client;
  }

  runSeed(): bigint {
    return (this.#seed ??= seedFromEnvironment() ?? randomSeed());
  }

  threadPath(): string {
    return String(this.table().threadRank(threadId));
  }

  get steerAll(): boolean {
    return this.options.steer === "always" && this.#patched !== undefined;
  }

  /** Kept cheap: every connect and write of the process asks. */
  isBusy(): boolean {
    if (this.#patched === undefined) return false;
    if (this.scopes.liveCount() > 0) return true;
    if (this.#client !== undefined && this.#client.openFlows > 0) return true;
    return this.#table !== undefined && hasActivation(this.#table);
  }

  // ── scopes ──────────────────────────────────────────────────────────────────────────────────────────────────────────────

  nextOrdinal(policy: CompiledPolicy): number {
    return this.registry.nextOrdinal(policy);
  }

  begin(policy: CompiledPolicy, ordinal: number, seed: bigint): number {
    if (this.#patched === undefined) this.install();
    this.#patched?.patches.mend();
    this.#patched?.completeDns();
    this.#patched?.late.complete();
    const client = this.client();
    client.start();
    this.setHeard();
    const policyId = client.policies.use(policy);
    try {
      return openScope(this.table(), { policyId, ordinal, seed, anchorNs: this.#anchorNs(policy) });
    } catch (error) {
      client.policies.drop(policy);
      throw error;
    }
  }

  /** When the clock of the policy's schedule started. */
  #anchorNs(policy: CompiledPolicy): number {
    const nowNs = clockNs();
    return policy.faults.schedule?.anchor === "process" ? this.registry.anchorNs(policy, nowNs) : nowNs;
  }

  began(record: ScopeRecord): void {
    this.#records.set(record.ref, record);
    this.router.scopeBegan(record);
  }

  end(record: ScopeRecord): void {
    if (endScope(this.table(), record.ref)) this.client().releaseScope(record.ref);
    this.lookups.scopeEnded(record.ref);
    this.datagrams.scopeEnded(record);
  }

  abort(record: ScopeRecord): void {
    this.#client?.abortScope(record.ref);
    this.datagrams.abort(record);
  }

  counters(record: ScopeRecord): RowCounters {
    return record.finalCounters ?? rowCounters(this.table(), record.ref);
  }

  drain(): void {
    this.#client?.host.drain();
  }

  settle(): void {
    this.#client?.settle();
  }

  // ── activation ──────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes a scope the process-wide activation, or ends what there is. */
  activate(record: ScopeRecord | undefined): void {
    if (record === undefined && this.#table === undefined) return;
    setActivation(this.table(), record?.ref ?? 0, record === undefined ? new Uint8Array() : serialize(record.policy));
    this.router.activationChanged(record);
  }

  activation(): ScopeRecord | undefined {
    if (this.#table === undefined) return undefined;
    const ref = activationRef(this.#table);
    if (ref === 0) return undefined;
    return this.#records.get(ref) ?? this.#foreign.read(this.#table, ref);
  }

  // ── the relay speaks ────────────────────────────────────────────────────────────────────────────────────────────────────

  #record(ref: number): ScopeRecord | undefined {
    return this.#records.get(ref) ?? this.#foreign.known(ref);
  }

  events(events: readonly FlowEvent[]): void {
    for (const event of events) {
      const record = this.#record(event.scope);
      if (record === undefined) continue;
      const shown = showEvent(event, record, this.startNs);
      record.addEvent(shown);
      this.layer.publish(shown);
    }
    this.setHeard();
  }

  setHeard(): void {
    this.#client?.host.setHeard(this.layer.heard());
  }

  bound({ scope, flowHash, governs, rule }: BoundMessage): void {
    const flow = this.#record(scope)?.flows.get(flowHash);
    if (flow === undefined) return;
    flow.governs = governs;
    flow.rule = rule;
  }

  released(ref: number): void {
    const record = this.#records.get(ref);
    if (record === undefined) return;
    record.finalCounters = rowCounters(this.table(), ref);
    this.#records.delete(ref);
    freeScope(this.table(), ref);
    this.#client?.policies.drop(record.policy);
  }

  relayDied(cause: Error | undefined, flows: number): void {
    for (const record of [...this.#records.values()]) if (!record.live) this.released(record.ref);
    if (flows === 0 && cause === undefined) return;
    warnRelayDied(cause, flows);
  }

  /** `reset()`: between tests everything begins anew, warnings too. */
  forgetWarnings(): void {
    this.#warnedUnsteered = false;
  }

  ownerOf(socket: object): ScopeRecord | undefined {
    return this.scopes.ownerOf(socket);
  }

  takeUse(record: ScopeRecord, kind: UseKind): boolean {
    return takeUse(this.registry, record, kind);
  }

  warnUnsteered(): void {
    if (this.#warnedUnsteered) return;
    this.#warnedUnsteered = true;
    warnUnsteered();
  }
}
