/**
 * Which scope governs a flow, byte by byte: the bindings that the program published, and those that still hold bytes.
 *
 * Invariants: a binding begins at its uplink offset, or with the next byte when that has passed; a scope that ended decides nothing
 * more; the context hears once that nothing of a scope is held any more.
 */
import { bindingCount, skipBinding, takeBinding } from "../table/flows.ts";
import type { Binding } from "../table/flows.ts";
import { isLive } from "../table/scopes.ts";
import type { FlowBinding } from "./binding.ts";
import { rejudgeBinding, resolveBinding } from "./binding.ts";
import type { RelayContext } from "./context.ts";
import type { RelayFlow } from "./flow.ts";

export class FlowBindings {
  /** The flow as it is governed now; undefined: its bytes pass. */
  current: FlowBinding | undefined;
  readonly #flow: RelayFlow;
  readonly #context: RelayContext;
  readonly #coming: Binding[] = [];
  /** The one that planned the connect, until that is over: what it decides of it is yet to be told. */
  #connecting: FlowBinding | undefined;
  /** Those that may hold bytes, the current one included. */
  readonly #held = new Set<FlowBinding>();
  #published = 0;
  /** The latest one, whether or not its rules touch the flow. */
  #latest: Binding | undefined;
  #serverName: string | undefined;

  constructor(flow: RelayFlow, context: RelayContext) {
    this.#flow = flow;
    this.#context = context;
    this.#serverName = flow.dial.serverName;
  }

  /** The binding that was published before the dial: it governs the connect. */
  bindFirst(): void {
    // What is published for a flow that nobody's scope opened belongs to a use, and waits for its bytes.
    if (!this.#flow.dial.bound) return;
    this.#read();
    const first = this.#coming.shift();
    if (first !== undefined) this.#bind(first, undefined);
    this.#connecting = this.current;
  }

  /** The connect has come out, or its plan no longer counts. */
  connectOver(): void {
    this.#connecting = undefined;
    this.leaveDrained();
  }

  /** The next binding that begins before uplink byte `end`, if the program has published one. */
  nextBefore(end: number): Binding | undefined {
    this.#read();
    const next = this.#coming[0];
    return next !== undefined && next.offset < end ? this.#coming.shift() : undefined;
  }

  /** Whether a binding is published whose bytes have not come yet. */
  isPending(): boolean {
    this.#read();
    return this.#coming.length > 0;
  }

  #read(): void {
    const { table } = this.#context;
    const { flow } = this.#flow.dial;
    const count = bindingCount(table, flow);
    while (this.#published < count) {
      const sequence = this.#published++;
      let binding = takeBinding(table, flow, sequence);
      if (binding === undefined) {
        binding = this.#context.spilledBinding(flow, sequence);
        skipBinding(table, flow, sequence);
      }
      if (binding !== undefined) this.#coming.push(binding);
    }
  }

  /** Puts a published binding in force. `peerRttNs`: on an open flow, the round trip to the peer. */
  bind(binding: Binding, peerRttNs: number): void {
    this.#bind(binding, peerRttNs);
  }

  #bind(binding: Binding, peerRttNs: number | undefined): void {
    const previous = this.current;
    this.#latest = binding;
    this.#enter(resolveBinding(this.#context, binding, this.#flow.dial, this.#serverName), peerRttNs);
    if (previous !== undefined) this.#leaveIfDrained(previous);
  }

  #enter(binding: FlowBinding | undefined, peerRttNs: number | undefined): void {
    this.current = binding;
    if (binding === undefined) return;
    this.#held.add(binding);
    this.#context.enterScope(binding.scope, this.#flow);
    if (peerRttNs !== undefined) binding.start(peerRttNs);
  }

  /**
   * The hello has come: the binding in force is judged anew, and what comes from now on is governed by that. Returns whether a policy
   * that left the flow alone governs it now.
   */
  nameServer(name: string, peerRttNs: number, nowNs: number): boolean {
    const { current } = this;
    const serverNames = { before: this.#serverName, now: name };
    this.#serverName = name;
    if (this.#latest === undefined) return false;
    const next = rejudgeBinding(this.#context, this.#latest, this.#flow.dial, serverNames, current);
    if (next === current) return false;
    if (next !== undefined) this.#enter(next, peerRttNs);
    else if (current !== undefined) this.#detach(current, nowNs);
    return next !== undefined;
  }

  /** Lets go of the current binding when its scope has ended. Returns whether it has. */
  checkLive(nowNs: number): boolean {
    const { current } = this;
    if (current === undefined || isLive(this.#context.table, current.scope)) return false;
    this.#detach(current, nowNs);
    return true;
  }

  /** The relay was told that a scope ended. Returns whether that was the current one. */
  release(scope: number, nowNs: number): boolean {
    const wasCurrent = this.current?.scope === scope;
    for (const binding of this.#held) if (binding.scope === scope) this.#detach(binding, nowNs);
    return wasCurrent;
  }

  /** The scope was aborted: what it holds leaves now. Returns whether that was the current one. */
  abort(scope: number, nowNs: number): boolean {
    const wasCurrent = this.current?.scope === scope;
    for (const binding of this.#held) {
      if (binding.scope !== scope) continue;
      this.#letGo(binding, nowNs);
      this.#flow.uplink.abort(binding.up, nowNs);
      this.#flow.downlink.abort(binding.down, nowNs);
      this.#leaveIfDrained(binding);
    }
    return wasCurrent;
  }

  /** The binding decides nothing more. */
  #letGo(binding: FlowBinding, nowNs: number): void {
    if (this.current !== binding) return;
    this.#flow.leaving(nowNs);
    this.current = undefined;
  }

  #detach(binding: FlowBinding, nowNs: number): void {
    this.#letGo(binding, nowNs);
    this.#flow.uplink.detach(binding.up, nowNs);
    this.#flow.downlink.detach(binding.down, nowNs);
    this.#leaveIfDrained(binding);
  }

  /** Bytes have left: earlier bindings may be done. */
  leaveDrained(): void {
    if (this.#held.size === (this.current === undefined ? 0 : 1)) return;
    for (const binding of this.#held) this.#leaveIfDrained(binding);
  }

  #leaveIfDrained(binding: FlowBinding): void {
    if (binding === this.current || binding === this.#connecting) return;
    const { uplink, downlink } = this.#flow;
    if ((binding.up !== undefined && uplink.holds(binding.up)) || (binding.down !== undefined && downlink.holds(binding.down))) return;
    this.#leave(binding);
  }

  #leave(binding: FlowBinding): void {
    if (!this.#held.delete(binding)) return;
    for (const other of this.#held) if (other.scope === binding.scope) return;
    this.#context.leaveScope(binding.scope, this.#flow);
  }

  /** The flow is over. */
  leaveAll(): void {
    this.current = undefined;
    for (const binding of this.#held) this.#leave(binding);
  }
}
