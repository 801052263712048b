/**
 * One steered connection as the router keeps it: whose it is, who used it last, and what is open on it.
 *
 * Never: decides whose a use is (`router.ts`).
 */
import type { FlowClient } from "../relay/flow-client.ts";
import type { Shield } from "../scope/frames.ts";
import type { ScopeRecord } from "../scope/record.ts";
import type { Caller, CloseKind, DialRequest, Origin, Plaintext, SteeredFlow } from "../steer/router.ts";
import type { ExistingFlow } from "./existing-connections.ts";
import { FlowPlaintext, mutating } from "./flow-plaintext.ts";
import type { Named } from "./flow-names.ts";
import type { KnownName } from "./host-names.ts";
import type { LocalEventHost } from "./local-events.ts";
import { OpenRequests, Unanswered } from "./sharing.ts";

/** What a connection asks of the router. */
interface FlowUser {
  readonly events: LocalEventHost;
  governing(captured: Captured): ScopeRecord | undefined;
  use(flow: RoutedFlow, offset: () => number, request: boolean, captured?: Captured): void;
  resume(flow: RoutedFlow, record: ScopeRecord): void;
  closed(flow: RoutedFlow): void;
}

export interface FlowOrigin extends Origin {
  readonly record: ScopeRecord | undefined;
  readonly shield: Shield | undefined;
  /** Number of the latest scope when connect() was called. */
  readonly since: number;
  /** Whether the policy governs this connect; undefined: it has not been judged. */
  governed: boolean | undefined;
  /** The same for all addresses that one connect() tries. */
  named: Named | undefined;
}

export interface Captured {
  /** null: shielded. */
  readonly record: ScopeRecord | null | undefined;
  readonly shield?: Shield | undefined;
}

export class RoutedFlow implements SteeredFlow, ExistingFlow {
  readonly #router: FlowUser;
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
  /** The `withoutFaults` that used it last. */
  shield: Shield | undefined;
  readonly since: number;
  /** What the flow was called last. */
  named: Named | undefined;
  #plaintext: FlowPlaintext | undefined;
  readonly #requests = new OpenRequests();
  readonly #unanswered = new Unanswered();

  constructor(router: FlowUser, request: DialRequest, known: KnownName | undefined) {
    this.#router = router;
    this.#request = request;
    this.known = known;
    this.since = (request.origin as FlowOrigin).since;
    this.hostname = request.hostname;
    this.address = request.address;
    this.port = request.port;
  }

  bytesWritten(): number {
    return this.#request.bytesWritten();
  }

  useBy(caller: Caller, offset: () => number, request: boolean): void {
    this.#unanswered.used(this.#router.governing(caller as Captured), this.#request.isWaiting());
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

  get open(): boolean {
    return this.client.settled && !this.client.closed;
  }

  serverName(): string | undefined {
    return this.#request.serverName ?? this.#request.askedServerName();
  }

  users(): Iterable<ScopeRecord | Shield | undefined> {
    return [this.user, this.shield, ...this.#requests.scopes()];
  }

  drop(): void {
    this.closed("reset");
    this.#request.reset();
  }

  closed(how: CloseKind): void {
    this.#plaintext?.stop();
    this.#router.closed(this);
    this.client.close(how);
  }
}
