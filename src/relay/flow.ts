/**
 * One steered flow: the program's leg, the peer, and the two directions between them.
 *
 * Owns: both sockets after the dial, the bindings as bytes arrive, the ends and the errors. Never: decisions on packets (the engines),
 * the dial (`dial.ts`). Invariants: the program's leg never ends cleanly unless the peer did; an error that TCP cannot carry is stored
 * in the table before the leg is reset; when both sockets are gone the row is given back, once.
 */
import type { Socket } from "node:net";
import { planFirstUse } from "../engine/connect.ts";
import type { DirectionEngine } from "../engine/direction.ts";
import { timeoutDecision } from "../engine/faults/timeout.ts";
import { DOWNLINK } from "../engine/types.ts";
import type { Binding } from "../table/flows.ts";
import { bindingCount, markGenuineFin, skipBinding, storeFlowError, takeBinding } from "../table/flows.ts";
import { isLive } from "../table/scopes.ts";
import type { FlowBinding } from "./binding.ts";
import { resolveBinding } from "./binding.ts";
import { createWaiter } from "./clock.ts";
import type { RelayContext } from "./context.ts";
import type { PipeEnd, PipeOwner } from "./pipe.ts";
import { Pipe } from "./pipe.ts";
import type { DialMessage } from "./protocol.ts";
import { ReceiveTimeout } from "./receive-timeout.ts";
import { codeOf, errnoOf, resetSocket } from "./sockets.ts";

const FIN: PipeEnd = { reset: false, errno: 0 };

export class RelayFlow implements PipeOwner {
  readonly dial: DialMessage;
  readonly #context: RelayContext;
  readonly uplink: Pipe;
  readonly downlink: Pipe;
  leg: Socket | undefined;
  peer: Socket | undefined;
  /** The flow as it is governed now; undefined: its bytes pass. */
  current: FlowBinding | undefined;
  /** Uplink bytes that came in. */
  uplinkBytes = 0;
  programClosed = false;
  legEnded = false;
  established = false;
  #legClosed = false;
  #peerClosed = true;
  #failed = false;
  #done = false;
  #peerRttNs = 0;
  #bindingsRead = 0;
  readonly #coming: Binding[] = [];
  readonly #scopes = new Set<FlowBinding>();
  readonly #receiveTimeout: ReceiveTimeout;
  /** What the peer did before the program was told that it is connected, and when. */
  readonly #early: { atNs: number; what: Buffer | PipeEnd }[] = [];
  #earlyBytes = 0;
  /** While a first-use error is on its way nothing moves. */
  #discarding = false;

  constructor(context: RelayContext, dial: DialMessage) {
    this.dial = dial;
    this.#context = context;
    this.uplink = new Pipe(this, context.clock, context.windowBytes);
    this.downlink = new Pipe(this, context.clock, context.windowBytes);
    this.#receiveTimeout = new ReceiveTimeout(context.clock, context.table, dial.flow, () => this.#receiveTimedOut(), () => context.post({ type: "ask", flow: dial.flow }));
    this.#readBindings();
    // The first binding stands from the start: it governs the connect.
    const first = this.#coming.shift();
    if (first !== undefined) this.#bind(first);
  }

  /** The program's side of the loopback connection was accepted. */
  attachLeg(leg: Socket): void {
    this.leg = leg;
    this.uplink.source = leg;
    this.downlink.sink = leg;
    leg.on("data", (chunk: Buffer) => this.#fromProgram(chunk));
    leg.on("drain", () => this.downlink.drained());
    leg.on("end", () => this.#legEnd(FIN));
    leg.on("error", () => this.#legEnd({ reset: true, errno: errnoOf("ECONNRESET") }));
    leg.on("close", () => {
      this.#legClosed = true;
      if (!this.established) this.peer?.destroy();
      this.#settle();
    });
    if (this.#failed) resetSocket(leg);
  }

  /** The dial has made this socket; its errors before `establish` are the dial's business. */
  attachPeer(peer: Socket): void {
    this.peer = peer;
    this.#peerClosed = false;
    this.uplink.sink = peer;
    this.downlink.source = peer;
    peer.on("close", () => {
      this.#peerClosed = true;
      this.#settle();
    });
  }

  /** The peer accepted: what it says is timestamped from now on, also before the program has heard of it. */
  peerConnected(rttNs: number): void {
    const peer = this.peer as Socket;
    this.#peerRttNs = rttNs;
    this.current?.start(rttNs);
    peer.on("data", (chunk: Buffer) => this.#fromPeer(chunk));
    peer.on("drain", () => this.uplink.drained());
    peer.on("end", () => this.#peerEnd(FIN));
    peer.on("error", (error: NodeJS.ErrnoException) => this.#peerEnd({ reset: true, errno: error.errno ?? errnoOf("ECONNRESET") }));
  }

  /** The program is told that it is connected: its bytes may flow. */
  establish(): void {
    this.established = true;
    for (const { atNs, what } of this.#early.splice(0)) {
      if (Buffer.isBuffer(what)) this.#pushDownlink(what, atNs);
      else this.#endDownlink(what, atNs);
    }
    this.downlink.pump(this.#context.clock.nowNs());
    this.peer?.resume();
    this.leg?.resume();
  }

  // ── bytes ───────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #fromProgram(chunk: Buffer): void {
    const nowNs = this.#context.clock.nowNs();
    this.#readBindings();
    let rest = chunk;
    for (let next = this.#coming[0]; next !== undefined && next.offset < this.uplinkBytes + rest.length; next = this.#coming[0]) {
      this.#coming.shift();
      const before = Math.max(0, next.offset - this.uplinkBytes);
      if (before > 0) this.#pushUplink(rest.subarray(0, before), nowNs);
      rest = rest.subarray(before);
      this.#bind(next);
      this.#rollFirstUse(nowNs);
    }
    this.#pushUplink(rest, nowNs);
  }

  #pushUplink(chunk: Buffer, nowNs: number): void {
    if (chunk.length === 0) return;
    const offset = this.uplinkBytes;
    this.uplinkBytes += chunk.length;
    this.#checkLive(nowNs);
    if (this.#discarding || this.peer === undefined || this.peer.destroyed) return;
    const recvNs = this.current?.policy.faults.timeout.recvNs;
    if (recvNs !== undefined) this.#receiveTimeout.sent(offset + chunk.length, nowNs, recvNs);
    this.uplink.push(chunk, this.current?.up, nowNs);
  }

  #fromPeer(chunk: Buffer): void {
    const nowNs = this.#context.clock.nowNs();
    this.#checkLive(nowNs);
    if (this.established) {
      this.#pushDownlink(chunk, nowNs);
      return;
    }
    this.#early.push({ atNs: nowNs, what: chunk });
    this.#earlyBytes += chunk.length;
    if (this.#earlyBytes > this.#context.windowBytes) this.peer?.pause();
  }

  #pushDownlink(chunk: Buffer, nowNs: number): void {
    if (this.#discarding || this.#legClosed) return;
    this.downlink.push(chunk, this.current?.down, nowNs);
  }

  released(pipe: Pipe, _bytes: number, nowNs: number): void {
    this.#context.flushEvents();
    if (pipe === this.downlink) {
      this.#receiveTimeout.received();
      this.uplink.peerReleased(nowNs);
    } else this.downlink.peerReleased(nowNs);
    for (const binding of this.#scopes) if (binding !== this.current) this.#leaveIfDrained(binding);
  }

  // ── bindings ────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #readBindings(): void {
    const { table } = this.#context;
    const { flow } = this.dial;
    const count = bindingCount(table, flow);
    while (this.#bindingsRead < count) {
      const sequence = this.#bindingsRead++;
      let binding = takeBinding(table, flow, sequence);
      if (binding === undefined) {
        binding = this.#context.spilledBinding(flow, sequence);
        skipBinding(table, flow, sequence);
      }
      if (binding !== undefined) this.#coming.push(binding);
    }
  }

  #bind(binding: Binding): void {
    const previous = this.current;
    this.current = resolveBinding(this.#context, binding, this.dial);
    if (this.current !== undefined) {
      this.#scopes.add(this.current);
      this.#context.enterScope(this.current.scope, this);
      if (this.established) this.current.start(this.#peerRttNs);
    }
    this.#receiveTimeout.disarm();
    if (previous !== undefined) this.#leaveIfDrained(previous);
  }

  /** A flow that was open already meets its scope's connection fault at its first use. */
  #rollFirstUse(nowNs: number): void {
    const binding = this.current;
    const fault = binding?.policy.faults.connectionError;
    if (binding === undefined || fault === undefined || binding.fromConnect) return;
    const failure = planFirstUse(fault, binding.key, nowNs);
    if (failure === undefined) return;
    const { uplink, downlink } = binding.policy.faults;
    this.#discarding = true;
    binding.record(failure.decision);
    // The bytes travel up, the reset travels down.
    const delayNs = uplink.latencyNs + downlink.latencyNs;
    const waiter = createWaiter(() => this.fail(errnoOf(failure.code), true));
    this.#context.clock.schedule(waiter, nowNs + delayNs);
  }

  #checkLive(nowNs: number): void {
    const { current } = this;
    if (current !== undefined && !isLive(this.#context.table, current.scope)) this.#detach(current, nowNs);
  }

  /** The relay was told that a scope ended. */
  releaseScope(scope: number): void {
    const nowNs = this.#context.clock.nowNs();
    for (const binding of this.#scopes) if (binding.scope === scope) this.#detach(binding, nowNs);
  }

  #detach(binding: FlowBinding, nowNs: number): void {
    if (this.current === binding) {
      this.current = undefined;
      this.#receiveTimeout.disarm();
    }
    this.uplink.detach(binding.up, nowNs);
    this.downlink.detach(binding.down, nowNs);
    binding.up = this.#stillHeld(this.uplink, binding.up);
    binding.down = this.#stillHeld(this.downlink, binding.down);
    this.#leaveIfDrained(binding);
  }

  #stillHeld(pipe: Pipe, engine: DirectionEngine | undefined): DirectionEngine | undefined {
    return engine !== undefined && pipe.holds(engine) ? engine : undefined;
  }

  #leaveIfDrained(binding: FlowBinding): void {
    if (binding === this.current) return;
    if (this.#stillHeld(this.uplink, binding.up) ?? this.#stillHeld(this.downlink, binding.down)) return;
    if (!this.#scopes.delete(binding)) return;
    for (const other of this.#scopes) if (other.scope === binding.scope) return;
    this.#context.leaveScope(binding.scope, this);
  }

  // ── ends ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

  #legEnd(end: PipeEnd): void {
    this.legEnded = true;
    this.uplink.end(end, this.current?.up, this.#context.clock.nowNs());
    if (this.programClosed) this.#dropLeg();
  }

  #peerEnd(end: PipeEnd): void {
    const nowNs = this.#context.clock.nowNs();
    if (this.established) this.#endDownlink(end, nowNs);
    else this.#early.push({ atNs: nowNs, what: end });
  }

  #endDownlink(end: PipeEnd, nowNs: number): void {
    if (end.reset) this.uplink.destroy();
    if (!this.downlink.end(end, this.current?.down, nowNs) && end.reset) this.#resetLeg(end.errno, false);
  }

  ended(pipe: Pipe, end: PipeEnd): void {
    this.#context.flushEvents();
    if (pipe === this.uplink) {
      if (end.reset) resetSocket(this.peer);
      else if (this.programClosed) this.peer?.destroySoon();
      else this.peer?.end();
      return;
    }
    if (end.reset) this.#resetLeg(end.errno, false);
    else {
      markGenuineFin(this.#context.table, this.dial.flow);
      this.leg?.end();
    }
  }

  gaveUp(_pipe: Pipe, code: string): void {
    this.fail(errnoOf(code), true);
  }

  #receiveTimedOut(): void {
    const binding = this.current;
    if (binding === undefined) return;
    const recvNs = binding.policy.faults.timeout.recvNs ?? 0;
    binding.record(timeoutDecision({ direction: DOWNLINK, exchange: 0, cell: 0, split: 0 }, this.#context.clock.nowNs(), recvNs));
    this.fail(errnoOf("ETIMEDOUT"), true);
  }

  /** An HTTP/2 request began to wait for its first header, or got it. */
  reply(request: number, waiting: boolean): void {
    const recvNs = this.current?.policy.faults.timeout.recvNs;
    if (!waiting) this.#receiveTimeout.answered(request);
    else if (recvNs !== undefined) this.#receiveTimeout.requested(request, this.#context.clock.nowNs(), recvNs);
  }

  /** The program's side says whether it still waits for an answer. */
  waiting(waiting: boolean): void {
    this.#receiveTimeout.answer(waiting);
  }

  #resetLeg(errno: number, injected: boolean): void {
    if (injected || codeOf(errno) !== "ECONNRESET") storeFlowError(this.#context.table, this.dial.flow, errno, injected);
    resetSocket(this.leg);
  }

  /** The flow is over: the program's next read fails with this error, the peer sees a reset. */
  fail(errno: number, injected: boolean): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#context.flushEvents();
    this.#resetLeg(errno, injected);
    resetSocket(this.peer);
    this.#drop();
  }

  /** The connect attempt is over without a connection. */
  abandon(): void {
    this.#failed = true;
    resetSocket(this.leg);
    this.peer?.destroy();
    this.#drop();
    this.#settle();
  }

  #drop(): void {
    this.uplink.destroy();
    this.downlink.destroy();
    this.#receiveTimeout.disarm();
  }

  /** The program closed its socket: what it wrote still goes out, then the peer's connection closes whatever the peer does. */
  programHasClosed(): void {
    this.programClosed = true;
    if (!this.established) {
      this.abandon();
      return;
    }
    this.downlink.destroy();
    if (this.legEnded) {
      this.#dropLeg();
      if (this.uplink.isOver()) this.peer?.destroySoon();
    }
  }

  /** A reset in place of a FIN: a leg in TIME_WAIT would keep its port from the next connects for a minute. */
  #dropLeg(): void {
    this.downlink.destroy();
    resetSocket(this.leg);
  }

  /** Whether everything that the program wrote has left, or can never leave. `written`: its count, for a socket that is still open. */
  isFlushed(written: number | undefined): boolean {
    if (this.#failed || this.peer === undefined || this.peer.destroyed) return true;
    if (written === undefined ? !this.legEnded && !this.#legClosed : this.uplinkBytes < written && !this.#legClosed) return false;
    if (this.uplink.holdsWithEnd()) return false;
    return this.peer.writableLength === 0 && (!this.legEnded || this.uplink.held > 0 || this.uplink.isOver());
  }

  #settle(): void {
    // A leg that never arrived stays claimed until the program's side has failed too.
    if (this.#done || !this.#peerClosed || !(this.#legClosed || (this.leg === undefined && this.#failed))) return;
    this.#done = true;
    this.current = undefined;
    this.#drop();
    this.#context.flushEvents();
    for (const binding of this.#scopes) {
      this.#scopes.delete(binding);
      this.#context.leaveScope(binding.scope, this);
    }
    this.#context.done(this);
  }
}
