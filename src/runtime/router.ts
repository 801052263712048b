/**
 * Where connections belong: joins the adapters of `steer/` to scopes and to the relay.
 *
 * Invariants: a flow is bound before the bytes of a use leave; what a flow is called in a scope (its key) never depends on ports,
 * times or other scopes.
 */
import { clockNs } from "../internal/clock.ts";
import type { FlowKey } from "../relay/flow-client.ts";
import { currentScope, currentShield, enterHere, here, isAnswer, runAnswer, runHere } from "../scope/frames.ts";
import type { Shield } from "../scope/frames.ts";
import { latestScope } from "../scope/record.ts";
import type { ScopeRecord } from "../scope/record.ts";
import type { Caller, DialRequest, Lookup, LookupKind, Origin, Router, SteeredFlow } from "../steer/router.ts";
import { dropExisting, isIgnored, listIgnored } from "./existing-connections.ts";
import { mayTouch, nameFlow, noteSkipped } from "./flow-names.ts";
import type { LocalEventHost } from "./local-events.ts";
import type { RouterHost } from "./router-host.ts";
import { RoutedFlow } from "./routed-flow.ts";
import type { Captured, FlowOrigin } from "./routed-flow.ts";
import { Unsteered } from "./unsteered.ts";
import { isLimited } from "./uses.ts";

const UNBOUND: FlowKey = { scope: 0, flowHash: 0n, ordinal: 0 };

const [NOBODY, SHIELDED]: readonly [Captured, Captured] = [{ record: undefined }, { record: null }];

export class FlowRouter implements Router {
  readonly here: Router["here"] = here;
  readonly runIn: Router["runIn"] = runHere;
  readonly enter: Router["enter"] = enterHere;
  readonly runAnswer: Router["runAnswer"] = runAnswer;
  readonly isAnswer: Router["isAnswer"] = isAnswer;
  readonly #host: RouterHost;
  readonly #flows = new Set<RoutedFlow>();
  readonly #unsteered = new Unsteered();
  readonly #callers = new WeakMap<ScopeRecord | Shield, Captured>();

  constructor(host: RouterHost) {
    this.#host = host;
  }

  isBusy(): boolean {
    return this.#host.isBusy();
  }

  /** Where events of the program's own thread go. */
  get events(): LocalEventHost {
    return this.#host;
  }

  /** The scope that governs what the running code, or a caller that was captured, does. */
  governing(captured: Captured = { record: currentScope() }): ScopeRecord | undefined {
    if (captured.record === null) return undefined;
    return captured.record?.live === true ? captured.record : this.#host.activation();
  }

  lookup(hostname: string, kind: LookupKind): Lookup {
    return this.#host.lookups.begin(this.#host.isBusy() ? this.governing() : undefined, hostname, kind);
  }

  origin(): Origin | undefined {
    if (!this.#host.steerAll && !this.#host.isBusy()) return undefined;
    this.#host.beforeConnect();
    const record = this.governing();
    if (record === undefined && !this.#host.steerAll) return undefined;
    const origin: FlowOrigin = {
      attempts: 0,
      record,
      shield: currentShield(),
      since: latestScope(),
      governed: undefined,
      named: undefined,
    };
    return origin;
  }

  dial(request: DialRequest): SteeredFlow {
    const origin = request.origin as FlowOrigin;
    const { record } = origin;
    const known = request.hostname === undefined ? this.#host.lookups.names.nameOf(record, request.address) : undefined;
    const flow = new RoutedFlow(this, request, known);
    const key = record?.live === true ? this.#connectKey(record, origin, flow) : undefined;
    flow.client = this.#host.client().dial(
      {
        address: request.address,
        port: request.port,
        family: request.family,
        hostname: request.hostname ?? known?.hostname,
        serverName: request.serverName,
        localAddress: request.localAddress,
        localPort: request.localPort,
        // From here on, not from connect(): looking a name up is not part of the connect.
        startNs: clockNs(),
        attempt: origin.attempts++,
        startLeg: (port) => request.startLeg(port),
        connected: (message) => request.connected(message.local, message.remote),
        failed: (failure) => request.failed(failure),
        broken: (error) => request.broken(error),
        died: () => request.died(),
        bytesWritten: () => request.bytesWritten(),
        isWaiting: () => request.isWaiting(),
      },
      key,
    );
    flow.record = key === undefined ? undefined : record;
    flow.user = record;
    flow.shield = origin.shield;
    flow.governed = origin.governed ?? true;
    flow.named = origin.named;
    this.#flows.add(flow);
    return flow;
  }

  /** One connect() is one use, whatever addresses it tries. */
  #connectKey(record: ScopeRecord, origin: FlowOrigin, flow: RoutedFlow): FlowKey | undefined {
    if (origin.governed === undefined && isLimited(record.policy) && mayTouch(record.policy, flow)) {
      origin.governed = this.#host.takeUse(record, "flow");
      if (!origin.governed) {
        origin.named = nameFlow(record, flow, this.#host.threadPath());
        noteSkipped(origin.named);
      }
    }
    if (origin.governed === false) return undefined;
    origin.named ??= nameFlow(record, flow, this.#host.threadPath());
    origin.named.used = true;
    return origin.named.key;
  }

  caller(socket?: object): Caller {
    const scope = currentScope();
    const record = scope === undefined && socket !== undefined ? this.#host.ownerOf(socket) : scope;
    if (record === undefined) return NOBODY;
    const shield = record === null ? currentShield() : undefined;
    const holder = record ?? shield;
    if (holder === undefined) return SHIELDED;
    if (!this.#callers.has(holder)) this.#callers.set(holder, { record, shield });
    return this.#callers.get(holder)!;
  }

  /** A scope begins. */
  scopeBegan(record: ScopeRecord): void {
    dropExisting(record, this.#flows, this.#host);
  }

  /** Binds a flow to whoever uses it now. `request`: the use begins a request. */
  use(flow: RoutedFlow, offset: () => number, request: boolean, captured?: Captured): void {
    const record = this.governing(captured);
    if (record !== undefined && isIgnored(record, flow)) this.#ignore(record, flow);
    else if (record !== undefined && isLimited(record.policy)) this.#countUse(record, flow, request);
    else flow.governed = true;
    flow.shield = captured?.shield;
    flow.user = record;
    this.#bind(flow, flow.governed ? record : undefined, offset);
  }

  #ignore(record: ScopeRecord, flow: RoutedFlow): void {
    flow.governed = false;
    if (flow.named?.record !== record) flow.named = listIgnored(record, flow, this.#host.threadPath());
  }

  /** A request of a multiplexed connection governs it again. */
  resume(flow: RoutedFlow, record: ScopeRecord): void {
    flow.user = record;
    flow.governed = true;
    this.#bind(flow, record, () => flow.bytesWritten());
  }

  /** What goes on with an earlier use shares its fate; anything else is a use of its own. */
  #countUse(record: ScopeRecord, flow: RoutedFlow, request: boolean): void {
    if (!request && flow.user === record) return;
    flow.governed = !mayTouch(record.policy, flow) || this.#host.takeUse(record, "flow");
    if (flow.governed) return;
    if (flow.named?.record !== record) flow.named = nameFlow(record, flow, this.#host.threadPath());
    noteSkipped(flow.named);
  }

  #bind(flow: RoutedFlow, record: ScopeRecord | undefined, offset: () => number): void {
    if ((record?.ref ?? 0) === flow.client.boundTo) return;
    flow.record = record;
    if (record === undefined) {
      flow.client.bind(UNBOUND, offset());
      return;
    }
    if (flow.named?.record !== record || flow.named.used) flow.named = nameFlow(record, flow, this.#host.threadPath());
    flow.named.used = true;
    flow.named.info.governs = undefined;
    flow.client.bind(flow.named.key, offset());
  }

  /** A new activation governs what is open and belongs to nobody; a shielded flow is left alone until it is used. */
  activationChanged(record: ScopeRecord | undefined): void {
    // A policy that counts its uses begins with one.
    if (record === undefined || isLimited(record.policy)) return;
    for (const flow of this.#flows) {
      if (flow.record?.live !== true) this.use(flow, () => flow.bytesWritten(), false, { record });
    }
  }

  closed(flow: RoutedFlow): void {
    this.#flows.delete(flow);
  }

  unsteeredUse(socket: object, caller: Caller | undefined): void {
    const record = this.governing(caller as Captured | undefined);
    if (record !== undefined && this.#unsteered.note(record, socket)) this.#host.warnUnsteered();
  }
}
