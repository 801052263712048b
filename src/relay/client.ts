/**
 * The program's side of the relay: flows from the dial to the end, in the terms of the table and the protocol.
 *
 * Owns: the flow records of this thread, the order in which legs start. Never: what a scope is, or how
 * a socket is patched. Invariants: a binding is in the table before the bytes that it governs; a row is freed when both sides are done
 * with it; not more legs are on their way than the relay's accept queue takes.
 */
import { setImmediate } from "node:timers";
import type { FlowEvent } from "../engine/types.ts";
import { FaultcoreError } from "../errors.ts";
import type { Binding } from "../table/flows.ts";
import { freeFlow, openFlow, publishBinding, publishSpilledBinding } from "../table/flows.ts";
import type { PolicyTable } from "../table/table.ts";
import { ExitFlush } from "./exit-flush.ts";
import { FlowClient } from "./flow-client.ts";
import type { FlowKey, FlowOwner, FlowRequest } from "./flow-client.ts";
import { RelayHost } from "./host.ts";
import type { RelayListener, RelayOptions } from "./host.ts";
import { KnownPolicies } from "./known-policies.ts";
import { MAX_UNACCEPTED_LEGS } from "./protocol.ts";
import type { BoundMessage, CloseKind, DialMessage, FromRelay } from "./protocol.ts";

/** A relay answers in a millisecond, and a busy one later. */
const SETTLE_MS = 1000;

export interface ClientListener {
  events(events: readonly FlowEvent[]): void;
  /** The relay no longer sends events: tells it whether somebody listens to them. */
  setHeard(): void;
  bound(message: BoundMessage): void;
  released(scope: number): void;
  relayDied(cause: Error | undefined, flows: number): void;
}

export class RelayClient implements RelayListener, FlowOwner {
  readonly table: PolicyTable;
  readonly host: RelayHost;
  readonly #listener: ClientListener;
  readonly #flows = new Map<number, FlowClient>();
  readonly #queue: FlowClient[] = [];
  #legsStarted = 0;
  readonly #pings: ((alive: boolean) => void)[] = [];
  readonly policies: KnownPolicies;
  readonly exit: ExitFlush;

  constructor(table: PolicyTable, options: RelayOptions, listener: ClientListener) {
    this.table = table;
    this.#listener = listener;
    this.host = new RelayHost(table, options, this);
    this.policies = new KnownPolicies(table, this.host);
    this.exit = new ExitFlush(this.host, this.#flows);
  }

  get openFlows(): number {
    return this.#flows.size;
  }

  /** Starts the relay without waiting for it, and tells it what it must know. */
  start(): void {
    if (this.host.running) return;
    this.#legsStarted = 0;
    this.host.start();
    this.policies.sendAll();
  }

  releaseScope(scope: number): void {
    if (this.host.running) this.host.post({ type: "release", scope, abort: false });
    else this.#listener.released(scope);
  }

  /** A scope that has ended is aborted: nothing of it waits any longer. */
  abortScope(scope: number): void {
    this.host.post({ type: "release", scope, abort: true });
  }

  // ── flows ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Opens a flow for one address. `key`: the scope that it begins under. */
  dial(request: FlowRequest, key: FlowKey | undefined): FlowClient {
    this.start();
    const flow = new FlowClient(this, openFlow(this.table), request);
    this.#flows.set(flow.id, flow);
    if (key !== undefined) {
      flow.bornBound = true;
      flow.bind(key, 0);
    }
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
    // Strangers are accepted too, and a leg that never arrives is written off, even one that was reset before its port could be seen.
    this.#legsStarted = Math.max(this.#legsStarted, this.host.accepted());
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
      serverName: request.serverName,
      localAddress: request.localAddress,
      localPort: request.localPort,
      startNs: request.startNs,
      attempt: request.attempt,
      bound: flow.bornBound,
    };
    this.host.post(message);
  }

  /** Calls back with whether the relay is alive: true when it answers, false when it is gone. */
  whenAlive(callback: (alive: boolean) => void): void {
    if (!this.host.running) {
      callback(false);
      return;
    }
    this.#pings.push(callback);
    this.host.hold();
    this.host.post({ type: "ping" });
  }

  /** Blocks until the relay has carried out everything that was said to it; for `SETTLE_MS` at most. */
  settle(): void {
    let answered = false;
    this.whenAlive(() => (answered = true));
    this.host.drainUntil(() => answered, SETTLE_MS);
  }

  #answerPings(count: number, alive: boolean): void {
    for (const callback of this.#pings.splice(0, count)) {
      this.host.drop();
      callback(alive);
    }
  }

  bind(flow: FlowClient, key: FlowKey, offset: number): void {
    const { scope, flowHash, ordinal } = key;
    const binding: Binding = { sequence: flow.sequence++, scope, offset, flowHash, ordinal };
    if (publishBinding(this.table, flow.id, binding)) return;
    this.host.post({ type: "bind", flow: flow.id, binding });
    publishSpilledBinding(this.table, flow.id, binding.sequence);
  }

  close(flow: FlowClient, how: CloseKind): void {
    if (flow.closed) return;
    flow.closed = true;
    this.#settle(flow);
    if (flow.done || !flow.started) {
      this.#forget(flow);
      return;
    }
    // In another process the socket lives on, and the relay serves it as before.
    if (how === "sent away") return;
    flow.holdsProcess = true;
    this.host.hold();
    this.host.post({ type: "closed", flow: flow.id, reset: how === "reset" });
  }

  /** What the program wrote has left, or never will: the process may end. */
  #letGo(flow: FlowClient): void {
    if (!flow.holdsProcess) return;
    flow.holdsProcess = false;
    this.host.drop();
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
        this.#letGo(flow);
        if (flow.closed) this.#forget(flow);
        else flow.done = true;
        return;
      }
      case "stuck": {
        const flow = this.#flows.get(message.flow);
        if (flow !== undefined) this.#letGo(flow);
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
      case "unheard":
        this.#listener.setHeard();
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
      case "pong":
        this.#answerPings(1, true);
        return;
      case "flushed":
        this.exit.flushed(message.token);
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
    this.exit.release();
    this.#answerPings(this.#pings.length, false);
    this.#listener.relayDied(cause, flows.length);
    for (const flow of flows) {
      this.#settle(flow);
      this.#letGo(flow);
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
}
