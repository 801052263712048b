/**
 * The data plane of one thread: accepts the program's legs, dials the peers, and answers the messages of `protocol.ts`.
 *
 * Owns: the listening port, the flows, the policies it was told of, the event buffer. Never: the table's lock (it only reads rows and
 * counts), the program's objects. Invariants: a connection nobody claims is held 2 s at most and gets nothing; events leave before the
 * bytes that they explain.
 */
import { deserialize } from "node:v8";
import type { SeverityAt } from "../engine/faults/loss.ts";
import type { SharedLink } from "../engine/shared-link.ts";
import type { Decision, Direction } from "../engine/types.ts";
import type { CompiledPolicy } from "../policy/types.ts";
import type { Binding } from "../table/flows.ts";
import { readActivation } from "../table/scopes.ts";
import type { PolicyTable } from "../table/table.ts";
import { DeadlineClock } from "../internal/deadline-clock.ts";
import type { RelayContext } from "./context.ts";
import { Dial } from "./dial.ts";
import type { RelayFlow } from "./flow.ts";
import { EventFeed } from "./event-feed.ts";
import { Flushes } from "./flushes.ts";
import { loseLeg } from "./leg-end.ts";
import { MissingLegs } from "./missing-legs.ts";
import { CONTROL } from "./protocol.ts";
import type { FromRelay, RelayInit, ToRelay } from "./protocol.ts";
import { RoundTrips } from "./round-trips.ts";
import { SharedLinks } from "./shared-links.ts";
import { Landing } from "./sockets/landing.ts";
import { openNetwork } from "./sockets/network.ts";
import type { Network, RelaySocket } from "./sockets/socket.ts";
import { UnclaimedLegs } from "./unclaimed-legs.ts";

/** How a relay talks to its program: a MessagePort today. */
export interface Transport {
  post(message: FromRelay): void;
  /** The next message that was sent before now, if there is one. */
  receive(): ToRelay | undefined;
}

export class Relay implements RelayContext {
  readonly table: PolicyTable;
  readonly clock: DeadlineClock;
  readonly landing: Landing = new Landing();
  readonly network: Network = openNetwork(this.landing);
  readonly windowBytes: number;
  readonly roundTrips: RoundTrips = new RoundTrips();
  readonly #control: Int32Array;
  readonly #transport: Transport;
  readonly #dials = new Map<number, Dial>();
  readonly #claims = new Map<number, Dial>();
  readonly #unclaimed = new UnclaimedLegs();
  readonly #policies = new Map<number, CompiledPolicy>();
  readonly #scopes = new Map<number, Set<RelayFlow>>();
  readonly #links = new SharedLinks();
  readonly #missing = new MissingLegs(() => this.#countLeg());
  readonly #ended = new Set<number>();
  readonly #spilled = new Map<string, Binding>();
  readonly #backlog: ToRelay[] = [];
  #working = false;
  readonly #feed: EventFeed;
  readonly #flushes = new Flushes(
    () => this.#flows(),
    (token) => this.#flushed(token),
  );

  constructor(table: PolicyTable, init: RelayInit, transport: Transport) {
    this.table = table;
    this.clock = new DeadlineClock(init.precision, { naps: true });
    this.windowBytes = init.windowBytes;
    this.#control = new Int32Array(init.control);
    this.#transport = transport;
    const isHeard = (): boolean => Atomics.load(this.#control, CONTROL.heard) === 1;
    this.#feed = new EventFeed(table, (message) => this.post(message), isHeard);
    this.network.listen(
      (leg, port) => this.#accept(leg, port),
      (port) => this.#announce(port),
    );
  }

  #announce(port: number): void {
    Atomics.store(this.#control, CONTROL.port, port);
    Atomics.notify(this.#control, CONTROL.port);
  }

  // ── legs ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #countLeg(): void {
    Atomics.add(this.#control, CONTROL.accepted, 1);
    if (Atomics.load(this.#control, CONTROL.wantsAccepted) === 1) this.post({ type: "accepted" });
  }

  #accept(leg: RelaySocket, port: number | undefined): void {
    this.#countLeg();
    if (port === undefined) {
      leg.reset();
      return;
    }
    this.#missing.arrived(port);
    const dial = this.#claims.get(port);
    if (dial !== undefined) {
      this.#claims.delete(port);
      dial.legArrived(leg);
      return;
    }
    this.#unclaimed.hold(port, leg);
  }

  // ── messages ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Takes a message; they are carried out one after the other, also when carrying one out drains the port. */
  handle(message: ToRelay): void {
    this.#backlog.push(message);
    this.#work();
  }

  #work(): void {
    if (this.#working) return;
    this.#working = true;
    try {
      for (let next = this.#backlog.shift(); next !== undefined; next = this.#backlog.shift()) this.#carryOut(next);
    } finally {
      this.#working = false;
    }
  }

  #carryOut(message: ToRelay): void {
    switch (message.type) {
      case "policy":
        this.#policies.set(message.policyId, message.policy);
        return;
      case "forget":
        this.#policies.delete(message.policyId);
        return;
      case "dial": {
        const dial = new Dial(this, message);
        this.#dials.set(message.flow, dial);
        const leg = this.#unclaimed.take(message.legPort);
        if (leg === undefined) this.#claims.set(message.legPort, dial);
        else dial.legArrived(leg);
        return;
      }
      case "bind":
        this.#spilled.set(`${message.flow}:${message.binding.sequence}`, message.binding);
        return;
      case "closed":
        this.#dials.get(message.flow)?.closed(message.reset);
        return;
      case "option":
        // One that comes before there is a peer is said again: Node says it when it is told that it is connected.
        this.#dials.get(message.flow)?.flow.peer?.setKeepAlive(message.keepAlive.enable, message.keepAlive.delaySeconds);
        return;
      case "reply":
        this.#dials.get(message.flow)?.flow.reply(message.request, message.waiting);
        return;
      case "waiting":
        this.#dials.get(message.flow)?.flow.receiveTimeout.answer(message.waiting);
        return;
      case "ping":
        this.post({ type: "pong" });
        return;
      case "release":
        this.#release(message.scope, message.abort);
        return;
      case "flush":
        this.#flushes.add(message);
        return;
    }
  }

  /**
   * Takes in everything that was sent before now. Bodies and bindings count at once; all else waits for its turn, because this runs in
   * the middle of a flow's own work.
   */
  #drain(): void {
    for (let message = this.#transport.receive(); message !== undefined; message = this.#transport.receive()) {
      if (message.type === "policy" || message.type === "bind") this.#carryOut(message);
      else this.#backlog.push(message);
    }
    if (this.#backlog.length > 0 && !this.#working) process.nextTick(() => this.#work());
  }

  #release(scope: number, abort: boolean): void {
    this.#ended.add(scope);
    // Of all flows: what only waits for its time no longer counts as the scope's.
    if (abort) for (const dial of this.#dials.values()) dial.abort(scope);
    for (const flow of this.#scopes.get(scope) ?? []) {
      this.#dials.get(flow.dial.flow)?.release();
      flow.releaseScope(scope);
    }
    this.#checkReleased(scope);
  }

  #checkReleased(scope: number): void {
    if (!this.#ended.has(scope) || this.#scopes.has(scope)) return;
    this.#ended.delete(scope);
    this.#feed.drop(scope);
    this.post({ type: "released", scope });
  }

  *#flows(): Iterable<RelayFlow> {
    for (const { flow } of this.#dials.values()) yield flow;
  }

  #flushed(token: number): void {
    Atomics.store(this.#control, CONTROL.flushed, token);
    Atomics.notify(this.#control, CONTROL.flushed);
    this.post({ type: "flushed", token });
  }

  /** The relay is dying, and no program may take that for a clean end. */
  die(): void {
    // A program that waits for the port must not wait in vain.
    if (Atomics.compareExchange(this.#control, CONTROL.port, 0, -1) === 0) Atomics.notify(this.#control, CONTROL.port);
    for (const { flow } of this.#dials.values()) loseLeg(flow.leg);
    this.#unclaimed.destroy();
    this.network.close();
  }

  // ── what flows ask ──────────────────────────────────────────────────────────────────────────────────────────────────────

  post(message: FromRelay): void {
    this.#transport.post(message);
  }

  policy(policyId: number, scope: number): CompiledPolicy | undefined {
    if (!this.#policies.has(policyId)) this.#drain();
    if (!this.#policies.has(policyId)) {
      // The activation of another thread: its body stands in the table.
      const activation = readActivation(this.table);
      if (activation?.ref === scope) this.#policies.set(policyId, deserialize(activation.body) as CompiledPolicy);
    }
    return this.#policies.get(policyId);
  }

  spilledBinding(flow: number, sequence: number): Binding | undefined {
    const key = `${flow}:${sequence}`;
    if (!this.#spilled.has(key)) this.#drain();
    const binding = this.#spilled.get(key);
    this.#spilled.delete(key);
    return binding;
  }

  link(scope: number, direction: Direction, rateBps: number, severityAt: SeverityAt | undefined): SharedLink {
    return this.#links.get(scope, direction, rateBps, severityAt);
  }

  record(scope: number, flowHash: bigint, decision: Decision): void {
    this.#feed.record(scope, flowHash, decision);
  }

  flushEvents(): void {
    this.#feed.flush();
  }

  enterScope(scope: number, flow: RelayFlow): void {
    const flows = this.#scopes.get(scope);
    if (flows === undefined) this.#scopes.set(scope, new Set([flow]));
    else flows.add(flow);
  }

  leaveScope(scope: number, flow: RelayFlow): void {
    const flows = this.#scopes.get(scope);
    if (flows === undefined || !flows.delete(flow)) return;
    if (flows.size > 0) return;
    this.#scopes.delete(scope);
    this.#links.drop(scope);
    this.#checkReleased(scope);
  }

  done(flow: RelayFlow): void {
    this.#dials.delete(flow.dial.flow);
    if (flow.leg === undefined) this.#missing.add(flow.dial.legPort);
    if (this.#claims.get(flow.dial.legPort)?.flow === flow) this.#claims.delete(flow.dial.legPort);
    this.post({ type: "done", flow: flow.dial.flow });
    this.#flushes.check();
  }
}
