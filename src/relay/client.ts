/**
 * The program's side of the relay: flows from the dial to the end, in the terms of the table and the protocol.
 *
 * Owns: the flow records of this thread, the order in which legs start, which policies the relay knows. Never: what a scope is, or how
 * a socket is patched. Invariants: a binding is in the table before the bytes that it governs; a row is freed when both sides are done
 * with it; not more legs are on their way than the relay's accept queue takes.
 */
import { setImmediate } from "node:timers";
import { FaultcoreError } from "../errors.ts";
import type { CompiledPolicy } from "../policy/types.ts";
import { armReceive, flowError, freeFlow, isGenuineFin, markTls, openFlow, publishBinding, publishSpilledBinding } from "../table/flows.ts";
import type { PolicyTable } from "../table/table.ts";
import { RelayHost } from "./host.ts";
import type { RelayListener, RelayOptions } from "./host.ts";
import { MAX_UNACCEPTED_LEGS } from "./protocol.ts";
import type { BoundMessage, ConnectedMessage, DialMessage, FailedMessage, FlowEvent, FromRelay } from "./protocol.ts";

/** Policies whose bodies the relay is left with although no scope uses them. */
const MAX_IDLE_POLICIES = 256;
/** How long `process.exit()` waits for what the program wrote. */
const EXIT_FLUSH_MS = 200;

/** What a dial needs besides the table. */
export interface FlowRequest {
  readonly address: string;
  readonly port: number;
  readonly family: 4 | 6;
  readonly hostname: string | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly startNs: number;
  readonly attempt: number;
  startLeg(relayPort: number): number;
  connected(message: ConnectedMessage): void;
  failed(message: Pick<FailedMessage, "errno" | "sync" | "local" | "injected">): void;
  broken(error: Error): void;
  died(): void;
  /** Bytes that the program has written: for a flush. */
  bytesWritten(): number;
  /** Whether the program has read nothing since its latest write. */
  isWaiting(): boolean;
}

/** Where a flow's bindings come from: the reference of a scope and what the flow is called in it. */
export interface FlowKey {
  readonly scope: number;
  readonly flowHash: bigint;
  readonly ordinal: number;
}

export interface ClientListener {
  events(events: readonly FlowEvent[]): void;
  bound(message: BoundMessage): void;
  released(scope: number): void;
  relayDied(cause: Error | undefined, flows: number): void;
}

export class FlowClient {
  readonly id: number;
  readonly request: FlowRequest;
  readonly #owner: RelayClient;
  sequence = 0;
  boundTo = 0;
  /** The relay has been asked to dial. */
  started = false;
  /** The verdict has come. */
  settled = false;
  closed = false;
  /** The relay is done with the row. */
  done = false;

  constructor(owner: RelayClient, id: number, request: FlowRequest) {
    this.#owner = owner;
    this.id = id;
    this.request = request;
  }

  /** From uplink byte `offset` on, the flow belongs to this scope. */
  bind(key: FlowKey, offset: number): void {
    this.boundTo = key.scope;
    this.#owner.bind(this, key, offset);
  }

  arm(offset: number, tls: boolean): void {
    if (tls) markTls(this.#owner.table, this.id);
    armReceive(this.#owner.table, this.id, offset);
  }

  setKeepAlive(enable: boolean, delaySeconds: number): void {
    this.#owner.host.post({ type: "option", flow: this.id, keepAlive: { enable, delaySeconds } });
  }

  reply(request: number, waiting: boolean): void {
    this.#owner.host.post({ type: "reply", flow: this.id, request, waiting });
  }

  finIsGenuine(): boolean {
    return isGenuineFin(this.#owner.table, this.id);
  }

  storedError(): { errno: number; injected: boolean } {
    return flowError(this.#owner.table, this.id);
  }

  close(): void {
    this.#owner.close(this);
  }
}

export class RelayClient implements RelayListener {
  readonly table: PolicyTable;
  readonly host: RelayHost;
  readonly #listener: ClientListener;
  readonly #flows = new Map<number, FlowClient>();
  readonly #queue: FlowClient[] = [];
  #legsStarted = 0;
  readonly #policies = new Map<CompiledPolicy, { id: number; users: number; sent: boolean }>();
  #flushToken = 0;
  #flushHeld = false;
  /** What had been written at the last flush: `beforeExit` comes again after each. */
  #flushedState = "";

  constructor(table: PolicyTable, options: RelayOptions, listener: ClientListener) {
    this.table = table;
    this.#listener = listener;
    this.host = new RelayHost(table, options, this);
  }

  get openFlows(): number {
    return this.#flows.size;
  }

  // ── policies ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** A scope begins to use a policy. Returns the number under which every relay knows it. */
  usePolicy(policy: CompiledPolicy): number {
    let entry = this.#policies.get(policy);
    if (entry === undefined) {
      entry = { id: this.table.nextPolicyId(), users: 0, sent: false };
    } else this.#policies.delete(policy); // put back at the end: the oldest idle ones go first
    this.#policies.set(policy, entry);
    entry.users++;
    if (!entry.sent && this.host.running) this.#sendPolicy(policy, entry);
    return entry.id;
  }

  dropPolicy(policy: CompiledPolicy): void {
    const entry = this.#policies.get(policy);
    if (entry === undefined) return;
    entry.users--;
    for (const [idle, { id, users }] of this.#policies) {
      if (this.#policies.size <= MAX_IDLE_POLICIES) return;
      if (users > 0) continue;
      this.#policies.delete(idle);
      this.host.post({ type: "forget", policyId: id });
    }
  }

  #sendPolicy(policy: CompiledPolicy, entry: { id: number; sent: boolean }): void {
    entry.sent = true;
    this.host.post({ type: "policy", policyId: entry.id, policy });
  }

  /** Starts the relay without waiting for it, and tells it what it must know. */
  start(): void {
    if (this.host.running) return;
    this.#legsStarted = 0;
    this.host.start();
    for (const [policy, entry] of this.#policies) this.#sendPolicy(policy, entry);
  }

  releaseScope(scope: number): void {
    if (this.host.running) this.host.post({ type: "release", scope });
    else this.#listener.released(scope);
  }

  // ── flows ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Opens a flow for one address. `key`: the scope that it begins under. */
  dial(request: FlowRequest, key: FlowKey | undefined): FlowClient {
    this.start();
    const flow = new FlowClient(this, openFlow(this.table), request);
    this.#flows.set(flow.id, flow);
    if (key !== undefined) flow.bind(key, 0);
    this.host.hold();
    this.#queue.push(flow);
    try {
      this.#startLegs();
    } catch (error) {
      this.#settle(flow);
      this.#forget(flow);
      throw error;
    }
    return flow;
  }

  #startLegs(): void {
    while (this.#queue.length > 0 && this.#legsStarted - this.host.accepted() < MAX_UNACCEPTED_LEGS) {
      const flow = this.#queue.shift() as FlowClient;
      if (!flow.closed) this.#startLeg(flow);
    }
    this.host.wantAccepted(this.#queue.length > 0);
    // The relay may have accepted the last leg between the two lines above.
    if (this.#queue.length > 0 && this.#legsStarted === this.host.accepted()) this.#startLegs();
  }

  #startLeg(flow: FlowClient): void {
    const { request } = flow;
    const legPort = request.startLeg(this.host.port());
    if (legPort < 0) {
      this.#settle(flow);
      this.#forget(flow);
      request.failed({ errno: legPort, sync: false, local: undefined, injected: false });
      return;
    }
    this.#legsStarted++;
    flow.started = true;
    const message: DialMessage = {
      type: "dial",
      flow: flow.id,
      legPort,
      address: request.address,
      port: request.port,
      family: request.family,
      hostname: request.hostname,
      localAddress: request.localAddress,
      localPort: request.localPort,
      startNs: request.startNs,
      attempt: request.attempt,
    };
    this.host.post(message);
  }

  bind(flow: FlowClient, key: FlowKey, offset: number): void {
    const binding = { sequence: flow.sequence++, offset, ...key };
    if (publishBinding(this.table, flow.id, binding)) return;
    this.host.post({ type: "bind", flow: flow.id, binding });
    publishSpilledBinding(this.table, flow.id, binding.sequence);
  }

  close(flow: FlowClient): void {
    if (flow.closed) return;
    flow.closed = true;
    this.#settle(flow);
    if (flow.done || !flow.started) this.#forget(flow);
    else this.host.post({ type: "closed", flow: flow.id });
  }

  /** The dial no longer keeps the process alive. */
  #settle(flow: FlowClient): void {
    if (flow.settled) return;
    flow.settled = true;
    this.host.drop();
  }

  #forget(flow: FlowClient): void {
    if (this.#flows.get(flow.id) !== flow) return;
    this.#flows.delete(flow.id);
    freeFlow(this.table, flow.id);
  }

  // ── the relay speaks ────────────────────────────────────────────────────────────────────────────────────────────────────

  message(message: FromRelay): void {
    switch (message.type) {
      case "connected":
      case "failed":
      case "lost": {
        const flow = this.#flows.get(message.flow);
        if (flow === undefined || flow.settled) return;
        this.#settle(flow);
        if (message.type === "connected") flow.request.connected(message);
        else if (message.type === "failed") flow.request.failed(message);
        else flow.request.broken(new FaultcoreError("ERR_FAULTCORE_RELAY", `The connection could not be steered: ${message.reason}.`));
        return;
      }
      case "done": {
        const flow = this.#flows.get(message.flow);
        if (flow === undefined) return;
        if (flow.closed) this.#forget(flow);
        else flow.done = true;
        return;
      }
      case "ask": {
        const flow = this.#flows.get(message.flow);
        if (flow === undefined || flow.closed) return;
        // What has arrived is read first: a program that was busy has not been kept waiting by the network.
        setImmediate(() => this.host.post({ type: "waiting", flow: flow.id, waiting: flow.request.isWaiting() }));
        return;
      }
      case "events":
        this.#listener.events(message.events);
        return;
      case "bound":
        this.#listener.bound(message);
        return;
      case "released":
        this.#listener.released(message.scope);
        return;
      case "accepted":
        this.#startQueued();
        return;
      case "flushed":
        if (message.token === this.#flushToken) this.#endFlush();
        return;
    }
  }

  #startQueued(): void {
    try {
      this.#startLegs();
    } catch (error) {
      for (const flow of this.#queue.splice(0)) {
        this.#settle(flow);
        this.#forget(flow);
        flow.request.broken(error as Error);
      }
    }
  }

  died(cause: Error | undefined): void {
    const flows = [...this.#flows.values()].filter((flow) => flow.started);
    for (const entry of this.#policies.values()) entry.sent = false;
    this.#endFlush();
    this.#listener.relayDied(cause, flows.length);
    for (const flow of flows) {
      this.#settle(flow);
      flow.done = true;
      if (flow.closed) this.#forget(flow);
      else flow.request.died();
    }
    // What had not reached the relay yet goes to the next one.
    this.#queue.splice(0, this.#queue.length, ...this.#queue.filter((flow) => !flow.closed));
    if (this.#queue.length > 0) {
      this.start();
      this.#startQueued();
    }
  }

  // ── the end of the process ──────────────────────────────────────────────────────────────────────────────────────────────

  #requestFlush(): number {
    const token = ++this.#flushToken;
    const written: [number, number][] = [];
    for (const flow of this.#flows.values()) if (!flow.closed && flow.settled) written.push([flow.id, flow.request.bytesWritten()]);
    this.host.post({ type: "flush", token, written });
    return token;
  }

  /** The event loop is empty: stays until everything that the program wrote has left. */
  holdUntilFlushed(): void {
    if (this.#flushHeld || !this.host.running || this.#flows.size === 0) return;
    const state = [...this.#flows.values()].map(({ id, closed, request }) => `${id}:${closed ? "closed" : request.bytesWritten()}`).join();
    if (state === this.#flushedState) return;
    this.#flushedState = state;
    this.#flushHeld = true;
    this.host.hold();
    this.#requestFlush();
  }

  #endFlush(): void {
    if (!this.#flushHeld) return;
    this.#flushHeld = false;
    this.host.drop();
  }

  /** `process.exit()`: waits, for a bounded time, until everything that the program wrote has left. */
  flushAtExit(): void {
    if (!this.host.running || this.#flows.size === 0) return;
    this.host.waitFlushed(this.#requestFlush(), EXIT_FLUSH_MS);
  }
}
