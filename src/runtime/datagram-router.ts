/**
 * Where datagrams belong: joins the UDP adapter to scopes and to what waits on this thread.
 *
 * Invariants: a flow belongs to the scope of its latest send, and its downlink goes by that; a flow that no live scope governs costs a
 * look. Names, ordinals and counts are those of connections (`flow-names.ts`).
 */
import { Link } from "../engine/faults/rate.ts";
import { Severity } from "../engine/faults/schedule.ts";
import type { DirectionFaults } from "../engine/types.ts";
import { DatagramBinding, DatagramClocks } from "../local/datagrams.ts";
import type { CompiledPolicy } from "../policy/types.ts";
import type { UseKind } from "../policy/registry.ts";
import type { ScopeRecord } from "../scope/record.ts";
import type { Caller, Datagram, DatagramFlow, DatagramPeer, DatagramPort, DatagramRouter } from "../steer/router.ts";
import { ScopeMeasures } from "../table/measures.ts";
import { countFlow, isLive, readScope } from "../table/scopes.ts";
import { judgeDatagrams, nameFlow, noteSkipped } from "./flow-names.ts";
import type { Named } from "./flow-names.ts";
import type { KnownName } from "./host-names.ts";
import { recordLocal } from "./local-events.ts";
import type { LocalEventHost } from "./local-events.ts";
import type { Lookups } from "./lookups.ts";
import type { RuntimeOptions } from "./options.ts";
import type { Captured } from "./routed-flow.ts";
import { isLimited } from "./uses.ts";

/** How long `process.exit()` waits for datagrams that were sent. */
const EXIT_MS = 200;

/** What the router asks of the runtime. */
export interface DatagramHost extends LocalEventHost {
  readonly lookups: Lookups;
  readonly options: RuntimeOptions;
  readonly router: { governing(captured: Captured): ScopeRecord | undefined };
  threadPath(): string;
  takeUse(record: ScopeRecord, kind: UseKind): boolean;
}

export class Datagrams implements DatagramRouter {
  readonly #host: DatagramHost;
  #clocks: DatagramClocks | undefined;
  /** The bindings of a scope that are in force, or have datagrams on their way. */
  readonly #bound = new WeakMap<ScopeRecord, Set<DatagramBinding>>();
  readonly #links = new WeakMap<ScopeRecord, readonly [up: Link, down: Link]>();

  constructor(host: DatagramHost) {
    this.#host = host;
  }

  flow(peer: DatagramPeer, port: DatagramPort): DatagramFlow {
    return new RoutedDatagrams(this, peer, port);
  }

  governing(captured: Captured): ScopeRecord | undefined {
    return this.#host.router.governing(captured);
  }

  isLive(record: ScopeRecord): boolean {
    // The record of another thread's activation does not know its end.
    return record.live && isLive(this.#host.table(), record.ref);
  }

  /** Names a flow within a scope, judges and counts it. The binding is undefined where the policy leaves it alone. */
  bind(record: ScopeRecord, peer: DatagramPeer, port: DatagramPort): DatagramBinding | undefined {
    const { policy, ref } = record;
    const row = readScope(this.#host.table(), ref);
    if (row === undefined) return undefined;
    const known: KnownName | undefined = peer.hostname === undefined ? this.#host.lookups.names.nameOf(record, peer.address) : undefined;
    const target = { ...peer, known };
    const named = nameFlow(record, target, this.#host.threadPath());
    const { governs, rule } = judgeDatagrams(policy, target);
    named.info.governs = governs;
    named.info.rule = rule;
    if (!governs || !this.#takesUse(record, named)) return undefined;
    named.used = true;
    countFlow(this.#host.table(), ref);
    if (!touchesDatagrams(policy)) return undefined;
    const { flowHash } = named.key;
    const severity = new Severity(policy.faults.schedule, row.anchorNs);
    this.#clocks ??= new DatagramClocks(this.#host.options.precision);
    const bound = this.#bound.get(record) ?? new Set();
    const binding: DatagramBinding = new DatagramBinding(this.#clocks, port, {
      faults: policy.faults,
      key: { seed: row.seed, flowHash },
      severity,
      windowBytes: this.#host.options.windowBytes,
      links: this.#sharedLinks(record, severity),
      record: (decision) => recordLocal(this.#host, decision, ref, flowHash),
      measures: new ScopeMeasures(this.#host.table(), ref),
      over: () => bound.delete(binding),
    });
    this.#bound.set(record, bound);
    bound.add(binding);
    return binding;
  }

  /** What is decided keeps its times; nothing new is faulted. */
  scopeEnded(record: ScopeRecord): void {
    for (const binding of this.#bound.get(record) ?? []) binding.detach();
  }

  /** What is on its way arrives now. */
  abort(record: ScopeRecord): void {
    for (const binding of this.#bound.get(record) ?? []) binding.abort();
  }

  /** `process.exit()`: what was sent leaves at its time, if that is soon; what does not is lost. */
  blockExit(): void {
    this.#clocks?.up.runFor(EXIT_MS);
  }

  #takesUse(record: ScopeRecord, named: Named): boolean {
    if (!isLimited(record.policy) || this.#host.takeUse(record, "flow")) return true;
    noteSkipped(named);
    return false;
  }

  #sharedLinks(record: ScopeRecord, severity: Severity): readonly [up: Link, down: Link] | undefined {
    const { rateShare, uplink, downlink } = record.policy.faults;
    if (rateShare !== "scope") return undefined;
    let links = this.#links.get(record);
    if (links !== undefined) return links;
    const at = (nowNs: number): number => severity.at(nowNs);
    links = [new Link(uplink.rateBps, at), new Link(downlink.rateBps, at)];
    this.#links.set(record, links);
    return links;
  }
}

/** Whether anything of the policy happens to datagrams. */
function touchesDatagrams({ faults }: CompiledPolicy): boolean {
  const { uplink, downlink, sessionBudget, mutation } = faults;
  return shapes(uplink) || shapes(downlink) || sessionBudget !== undefined || mutation !== undefined;
}

function shapes({ latencyNs, jitterNs, lossPpm, correlatedLoss, rateBps, duplicate, reorder }: DirectionFaults): boolean {
  if (latencyNs > 0 || jitterNs > 0 || lossPpm > 0 || rateBps !== Infinity) return true;
  return correlatedLoss !== undefined || duplicate !== undefined || reorder !== undefined;
}

class RoutedDatagrams implements DatagramFlow {
  readonly #router: Datagrams;
  readonly #peer: DatagramPeer;
  readonly #port: DatagramPort;
  /** The scope of the latest use, and what it means for the flow. */
  #record: ScopeRecord | undefined;
  #binding: DatagramBinding | undefined;
  /** The latest use was shielded: an activation does not take the flow up by itself. */
  #shielded = false;
  /** Earlier bindings of which datagrams are still on their way. */
  readonly #earlier = new Set<DatagramBinding>();

  constructor(router: Datagrams, peer: DatagramPeer, port: DatagramPort) {
    this.#router = router;
    this.#peer = peer;
    this.#port = {
      transmit: (bytes) => port.transmit(bytes),
      deliver: (bytes, tag) => port.deliver(bytes, tag),
      fail: (code) => port.fail(code),
      drained: () => {
        for (const binding of this.#earlier) if (binding.pending === 0) this.#earlier.delete(binding);
        if (this.pending === 0) port.drained();
      },
    };
  }

  get governed(): boolean {
    return this.#binding !== undefined && this.#record !== undefined && this.#router.isLive(this.#record);
  }

  get pending(): number {
    let pending = this.#binding?.pending ?? 0;
    for (const binding of this.#earlier) pending += binding.pending;
    return pending;
  }

  useBy(caller: Caller): void {
    const captured = caller as Captured;
    this.#shielded = captured.record === null;
    this.#bind(this.#router.governing(captured));
  }

  send(datagram: Datagram): boolean {
    return this.governed ? this.#binding!.send(datagram) : true;
  }

  receive(datagram: Datagram): boolean {
    // Nobody's flow belongs to an activation that began meanwhile.
    if (!this.#shielded && (this.#record === undefined || !this.#router.isLive(this.#record))) this.#adopt();
    return this.governed ? this.#binding!.receive(datagram) : true;
  }

  close(): void {
    this.#leave();
    for (const binding of this.#earlier) binding.close();
  }

  abandon(): void {
    for (const binding of this.#earlier) binding.abandon();
    this.#earlier.clear();
  }

  #adopt(): void {
    const record = this.#router.governing({ record: undefined });
    // A policy that counts its uses begins with one.
    if (record === undefined || !isLimited(record.policy)) this.#bind(record);
  }

  #bind(record: ScopeRecord | undefined): void {
    if (record === this.#record) return;
    this.#leave();
    this.#record = record;
    this.#binding = record && this.#router.bind(record, this.#peer, this.#port);
  }

  #leave(): void {
    const binding = this.#binding;
    const record = this.#record;
    this.#record = undefined;
    if (binding === undefined || record === undefined) return;
    binding.detach();
    if (binding.pending > 0) this.#earlier.add(binding);
    this.#binding = undefined;
  }
}
