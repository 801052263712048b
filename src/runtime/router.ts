/**
 * Where connections belong: joins the adapters of `steer/` to scopes and to the relay.
 *
 * Invariants: a flow is bound before the bytes of a use leave; what a flow is called in a scope (its key) never depends on ports,
 * times or other scopes.
 */
import { clockNs } from "../internal/clock.ts";
import type { FlowClient, FlowKey } from "../relay/flow-client.ts";
import { currentScope, enterHere, here, isAnswer, runAnswer, runHere } from "../scope/frames.ts";
import type { ScopeRecord } from "../scope/record.ts";
import type { Caller, CloseKind, DialRequest, Lookup, LookupKind, Origin, Plaintext, Router, SteeredFlow } from "../steer/router.ts";
import { FlowPlaintext, mutating } from "./flow-plaintext.ts";
import { mayTouch, nameFlow, noteSkipped } from "./flow-names.ts";
import type { Named } from "./flow-names.ts";
import type { KnownName } from "./host-names.ts";
import type { LocalEventHost } from "./local-events.ts";
import type { RouterHost } from "./router-host.ts";
import { OpenRequests, noteSharing } from "./sharing.ts";
import { isLimited } from "./uses.ts";

const UNBOUND: FlowKey = { scope: 0, flowHash: 0n, ordinal: 0 };

interface FlowOrigin extends Origin {
  readonly record: ScopeRecord | undefined;
  /** Whether the policy governs this connect; undefined: it has not been judged. */
  governed: boolean | undefined;
  /** The same for all addresses that one connect() tries. */
  named: Named | undefined;
}

export interface Captured {
  /** null: shielded. */
  readonly record: ScopeRecord | null | undefined;
}

const [NOBODY, SHIELDED]: readonly [Captured, Captured] = [{ record: undefined }, { record: null }];

export class FlowRouter implements Router {
  readonly here: Router["here"] = here;
  readonly runIn: Router["runIn"] = runHere;
  readonly enter: Router["enter"] = enterHere;
  readonly runAnswer: Router["runAnswer"] = runAnswer;
  readonly isAnswer: Router["isAnswer"] = isAnswer;
  readonly #host: RouterHost;
  readonly #flows = new Set<RoutedFlow>();
  readonly #unsteered = new WeakMap<ScopeRecord, WeakSet<object>>();
  readonly #callers = new WeakMap<ScopeRecord, Captured>();

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
    const origin: FlowOrigin = { attempts: 0, record, governed: undefined, named: undefined };
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
    if (!record) return record === null ? SHIELDED : NOBODY;
    if (!this.#callers.has(record)) this.#callers.set(record, { record });
    return this.#callers.get(record)!;
  }

  /** Binds a flow to whoever uses it now. `request`: the use begins a request. */
  use(flow: RoutedFlow, offset: () => number, request: boolean, captured?: Captured): void {
    const record = this.governing(captured);
    if (record !== undefined && isLimited(record.policy)) this.#countUse(record, flow, request);
    else flow.governed = true;
    flow.user = record;
    this.#bind(flow, flow.governed ? record : undefined, offset);
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
    if (record === undefined) return;
    let seen = this.#unsteered.get(record);
    if (seen === undefined) this.#unsteered.set(record, (seen = new WeakSet()));
    if (seen.has(socket)) return;
    seen.add(socket);
    record.unsteered++;
    this.#host.warnUnsteered();
  }
}

class RoutedFlow implements SteeredFlow {
  readonly #router: FlowRouter;
  readonly #request: DialRequest;
  readonly hostname: string | undefined;
  /** Where the program asked for an address: the name that it was looked up by. */
  readonly known: KnownName | undefined;
  readonly address: string;
  readonly port: number;
  client!: FlowClient;
  /** The scope that the flow is bound to. */
  record: ScopeRecord | undefined;
  /** The scope that used the flow last, and whether its policy governs that use. */
  user: ScopeRecord | undefined;
  governed = true;
  /** What the flow was called last. */
  named: Named | undefined;
  #plaintext: FlowPlaintext | undefined;
  readonly #requests = new OpenRequests();

  constructor(router: FlowRouter, request: DialRequest, known: KnownName | undefined) {
    this.#router = router;
    this.#request = request;
    this.known = known;
    this.hostname = request.hostname;
    this.address = request.address;
    this.port = request.port;
  }

  bytesWritten(): number {
    return this.#request.bytesWritten();
  }

  useBy(caller: Caller, offset: () => number, request: boolean): void {
    // Nothing has come back to the live scope's bytes yet: what comes may be its answer, and is governed by the next one.
    if (this.user?.live === true && this.#request.isWaiting()) noteSharing(this.user, this.#router.governing(caller as Captured));
    this.#router.use(this, offset, request, caller as Captured);
  }

  arm(offset: number, tls: boolean): void {
    this.client.arm(offset, tls);
  }

  plaintext(): Plaintext | undefined {
    const named = mutating(this) ? this.named : undefined;
    if (named === undefined && this.#plaintext === undefined) return undefined;
    this.#plaintext ??= new FlowPlaintext(this.#router.events);
    this.#plaintext.bind(named);
    return this.#plaintext;
  }

  setKeepAlive(enable: boolean, delaySeconds: number): void {
    this.client.setKeepAlive(enable, delaySeconds);
  }

  startTls(offset: number): void {
    this.client.startTls(offset);
  }

  requestOpened(request: number): void {
    this.#requests.opened(request, this.record);
    this.client.reply(request, true);
  }

  requestAnswered(request: number): void {
    this.client.reply(request, false);
  }

  requestClosed(request: number): void {
    this.client.reply(request, false);
    const next = this.#requests.closed(request);
    if (next !== undefined) this.#router.resume(this, next);
  }

  finIsGenuine(): boolean {
    return this.client.finIsGenuine();
  }

  wasReset(): boolean {
    return this.client.wasReset();
  }

  whenAlive(callback: (alive: boolean) => void): void {
    this.client.whenAlive(callback);
  }

  storedError(): { errno: number; injected: boolean } {
    return this.client.storedError();
  }

  closed(how: CloseKind): void {
    this.#plaintext?.stop();
    this.#router.closed(this);
    this.client.close(how);
  }
}
