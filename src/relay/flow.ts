// oxlint-disable max-lines -- the two sockets of a flow end in terms of each other: taken apart, each half would only name the other
/**
 * One steered flow: the program's leg, the peer, and the two directions between them.
 *
 * Owns: both sockets after the dial, the bindings as bytes arrive, the ends and the errors. Never: decisions on packets (the engines),
 * the dial (`dial.ts`). Invariants: the program's leg never ends cleanly unless the peer did; an error that TCP cannot carry is stored
 * in the table before the leg is reset; when both sockets are gone the row is given back, once.
 */
import type { FlowBinding } from "./binding.ts";
import { createWaiter } from "../internal/deadline-clock.ts";
import type { RelayContext } from "./context.ts";
import { EarlyArrivals } from "./early.ts";
import { rollFirstUse } from "./first-use.ts";
import type { FirstUseFailure } from "./first-use.ts";
import { FlowBindings } from "./flow-bindings.ts";
import { FlowCutOff } from "./flow-cut-off.ts";
import type { CuttableFlow } from "./flow-cut-off.ts";
import { FlowStages } from "./flow-stages.ts";
import { endLeg, failLeg, resetLeg } from "./leg-end.ts";
import type { PipeOwner } from "./pipe.ts";
import { Pipe } from "./pipe.ts";
import type { DialMessage } from "./protocol.ts";
import { ReceiveTimeout } from "./receive-timeout.ts";
import { ServerName } from "./server-name.ts";
import { RESET } from "./sockets/end.ts";
import type { End } from "./sockets/end.ts";
import { errnoOf } from "../internal/errnos.ts";
import type { RelaySocket, SocketOwner } from "./sockets/socket.ts";
import { DOWNLINK, UPLINK } from "../engine/types.ts";
import { isTls } from "../table/flows.ts";

export class RelayFlow implements PipeOwner, CuttableFlow, SocketOwner {
  readonly dial: DialMessage;
  readonly #context: RelayContext;
  readonly uplink: Pipe;
  readonly downlink: Pipe;
  leg: RelaySocket | undefined;
  peer: RelaySocket | undefined;
  /** Uplink bytes that came in. */
  uplinkBytes = 0;
  programClosed = false;
  legEnded = false;
  established = false;
  legClosed = false;
  #peerClosed = true;
  failed = false;
  #done = false;
  #resetsPeer = false;
  #peerRttNs = 0;
  readonly #bindings: FlowBindings;
  readonly #serverName: ServerName;
  readonly receiveTimeout: ReceiveTimeout;
  readonly #early = new EarlyArrivals();
  readonly #cutOff: FlowCutOff;
  readonly #up: FlowStages;
  readonly #down: FlowStages;
  #governedBy: FlowBinding | undefined;
  /** While it is on its way nothing moves. */
  #firstUse: FirstUseFailure | undefined;

  constructor(context: RelayContext, dial: DialMessage) {
    this.dial = dial;
    this.#context = context;
    this.uplink = new Pipe(this, context);
    this.downlink = new Pipe(this, context);
    this.receiveTimeout = new ReceiveTimeout(context, dial.flow, (deadlineNs) => this.#receiveTimedOut(deadlineNs));
    this.#serverName = new ServerName(context.table, dial.flow);
    this.#cutOff = new FlowCutOff(this, context.clock);
    const isTlsFlow = (): boolean => isTls(context.table, dial.flow);
    this.#up = new FlowStages(UPLINK, this.uplink, context.clock, isTlsFlow);
    this.#down = new FlowStages(DOWNLINK, this.downlink, context.clock, isTlsFlow);
    this.#bindings = new FlowBindings(this, context);
    this.#bindings.bindFirst();
    this.#govern();
  }

  /** The flow as it is governed now; undefined: its bytes pass. */
  get current(): FlowBinding | undefined {
    return this.#bindings.current;
  }

  /** The program's side of the loopback connection was accepted. */
  attachLeg(leg: RelaySocket): void {
    this.leg = leg;
    this.uplink.source = leg;
    this.downlink.sink = leg;
    leg.owner = this;
    if (this.failed) leg.reset();
  }

  /** The dial has made this socket; its errors before `establish` are the dial's business. */
  attachPeer(peer: RelaySocket): void {
    this.peer = peer;
    this.#peerClosed = false;
    this.uplink.sink = peer;
    this.downlink.source = peer;
    peer.owner = this;
  }

  /** The peer accepted: what it says is timestamped from now on, also before the program has heard of it. */
  peerConnected(rttNs: number): void {
    this.#peerRttNs = rttNs;
    this.current?.start(rttNs);
    this.peer?.resume();
  }

  received(socket: RelaySocket, chunk: Buffer): void {
    if (socket === this.leg) this.#fromProgram(chunk);
    else this.#fromPeer(chunk);
  }

  ended(socket: RelaySocket, end: End): void {
    if (socket === this.leg) this.#legEnd(end);
    else this.#peerEnd(end);
  }

  drained(socket: RelaySocket): void {
    (socket === this.leg ? this.downlink : this.uplink).drained();
  }

  closed(socket: RelaySocket): void {
    if (socket === this.leg) {
      this.legClosed = true;
      if (!this.established) this.peer?.destroy();
    } else this.#peerClosed = true;
    this.#settle();
  }

  /** The program is told that it is connected: its bytes may flow. */
  establish(): void {
    this.established = true;
    this.#cutOff.establish();
    // First: what has come early may be enough to stop it again.
    this.peer?.resume();
    for (const { atNs, what } of this.#early.take()) {
      if (Buffer.isBuffer(what)) this.#pushDownlink(what, atNs);
      else this.#endDownlink(what, atNs);
    }
    this.downlink.pump(this.#context.clock.nowNs());
    this.leg?.resume();
  }

  #fromProgram(chunk: Buffer): void {
    const nowNs = this.#context.clock.nowNs();
    // Who writes on after a failure that it has not read yet gets the reset that TCP would send.
    if (this.failed) this.leg?.reset();
    const serverName = this.#cutOff.isOver ? undefined : this.#serverName.take(chunk, this.uplinkBytes);
    if (serverName !== undefined && this.#bindings.nameServer(serverName, this.#peerRttNs, nowNs)) this.#rollFirstUse(nowNs);
    let rest = chunk;
    while (!this.#cutOff.isOver) {
      const next = this.#bindings.nextBefore(this.uplinkBytes + rest.length);
      if (next === undefined) break;
      const before = Math.max(0, next.offset - this.uplinkBytes);
      if (before > 0) this.#pushUplink(rest.subarray(0, before), nowNs);
      rest = rest.subarray(before);
      this.flushStages(nowNs);
      this.#bindings.bind(next, this.#peerRttNs);
      this.receiveTimeout.disarm();
      this.#rollFirstUse(nowNs);
    }
    this.#pushUplink(rest, nowNs);
    for (const request of this.receiveTimeout.takeDeferred()) this.reply(request, true);
  }

  #pushUplink(chunk: Buffer, nowNs: number): void {
    if (chunk.length === 0) return;
    const offset = this.uplinkBytes;
    this.uplinkBytes += chunk.length;
    this.checkLive(nowNs);
    if (this.failed || this.#firstUse !== undefined || this.peer === undefined || (this.peer.destroyed && !this.isCutOff())) return;
    const recvNs = this.current?.recvNs(nowNs);
    if (recvNs !== undefined) this.receiveTimeout.sent(offset + chunk.length, nowNs, recvNs);
    const passed = this.#cutOff.admit(UPLINK, chunk.length, nowNs);
    if (passed > 0) this.#up.push(first(chunk, passed), nowNs);
    this.#cutOff.check(passed < chunk.length, nowNs);
    this.#reportStuck();
  }

  #fromPeer(chunk: Buffer): void {
    const nowNs = this.#context.clock.nowNs();
    this.checkLive(nowNs);
    if (this.established) {
      this.#pushDownlink(chunk, nowNs);
      return;
    }
    this.#early.add(chunk, nowNs);
    if (this.#early.bytes > this.#context.windowBytes) this.peer?.pause();
  }

  #pushDownlink(chunk: Buffer, nowNs: number): void {
    if (this.#firstUse !== undefined || this.legClosed) return;
    this.#govern();
    const passed = this.#cutOff.admit(DOWNLINK, chunk.length, nowNs);
    if (passed > 0) this.#down.push(first(chunk, passed), nowNs);
    this.#cutOff.check(false, nowNs);
  }

  /** The binding in force has changed, perhaps: its limits and byte stages take over. */
  #govern(): void {
    if (this.#governedBy === this.current) return;
    this.#governedBy = this.current;
    this.#cutOff.govern(this.current);
    this.#up.govern(this.current);
    this.#down.govern(this.current);
  }

  /** The scope of the current binding has ended. */
  leaving(nowNs: number): void {
    this.#up.release(nowNs);
    this.#down.release(nowNs);
  }

  /** What the connect was planned to do has happened, or never will. */
  connectOver(): void {
    this.#bindings.connectOver();
  }

  /** Whether a limit was reached. */
  isCutOff(): boolean {
    return this.#cutOff.isCut;
  }

  flushStages(nowNs: number): void {
    this.#up.flush(nowNs);
    this.#down.flush(nowNs);
  }

  endWith(code: string): void {
    if (this.failed) return;
    this.failed = true;
    this.#context.flushEvents();
    // A leg that has ended already can only be reset.
    if (this.leg?.ended === true) this.#resetLeg(errnoOf(code), true);
    else failLeg(this.leg, this.#context.table, this.dial.flow, errnoOf(code));
    this.leg?.resume();
    this.peer?.reset();
    this.#drop();
  }

  resumed(pipe: Pipe, nowNs: number): void {
    (pipe === this.uplink ? this.#up : this.#down).resumed(nowNs);
  }

  /** Events leave before the bytes that they explain. */
  releasing(): void {
    this.#context.flushEvents();
  }

  released(pipe: Pipe, _bytes: number, nowNs: number): void {
    if (pipe === this.downlink) {
      this.receiveTimeout.received();
      this.uplink.peerReleased(nowNs);
      this.#up.peerReleased();
    } else {
      this.downlink.peerReleased(nowNs);
      this.#down.peerReleased();
    }
    this.#bindings.leaveDrained();
    this.#cutOff.checkDrained();
  }

  /** The scope's first bytes are discarded, and both ends are reset. */
  #rollFirstUse(nowNs: number): void {
    const failure = rollFirstUse(this.current, nowNs);
    if (failure === undefined) return;
    this.#firstUse = failure;
    const waiter = createWaiter(() => this.fail(failure.errno, true));
    this.#context.clock.schedule(waiter, failure.atNs);
  }

  checkLive(nowNs: number): void {
    if (this.#bindings.checkLive(nowNs)) this.receiveTimeout.disarm();
    this.#govern();
  }

  /** The relay was told that a scope ended. */
  releaseScope(scope: number): void {
    if (this.#bindings.release(scope, this.#context.clock.nowNs())) this.receiveTimeout.disarm();
    this.#govern();
  }

  /** The relay was told that a scope was aborted: what it holds leaves now, and a failure that it has decided comes now. */
  abortScope(scope: number): void {
    if (this.#bindings.abort(scope, this.#context.clock.nowNs())) this.receiveTimeout.disarm();
    this.#govern();
    this.#cutOff.hasten(scope);
    if (this.#firstUse?.scope === scope) this.fail(this.#firstUse.errno, true);
  }

  #legEnd(end: End): void {
    this.legEnded = true;
    const nowNs = this.#context.clock.nowNs();
    if (this.isCutOff()) {
      this.#cutOff.legEnded(end.reset, nowNs);
      return;
    }
    this.#up.flush(nowNs);
    // A reset may follow a FIN: it reaches the peer behind it.
    if (!this.uplink.end(end, this.current?.up, nowNs) && end.reset) {
      if (this.uplink.isOver()) this.peer?.reset();
      else this.#resetsPeer = true;
    }
    if (this.programClosed) this.#dropLeg();
  }

  #peerEnd(end: End): void {
    const nowNs = this.#context.clock.nowNs();
    if (this.established) this.#endDownlink(end, nowNs);
    else this.#early.add(end, nowNs);
  }

  #endDownlink(end: End, nowNs: number): void {
    if (this.isCutOff()) return;
    this.#down.flush(nowNs);
    if (end.reset) this.uplink.destroy();
    if (!this.downlink.end(end, this.current?.down, nowNs) && end.reset) this.#resetLeg(end.errno, false);
  }

  pipeEnded(pipe: Pipe, end: End): void {
    this.#context.flushEvents();
    if (pipe === this.uplink) {
      if (end.reset || this.#resetsPeer) this.peer?.reset();
      else if (this.programClosed) this.peer?.close();
      else this.peer?.end();
      return;
    }
    if (end.reset) this.#resetLeg(end.errno, false);
    else endLeg(this.leg, this.#context.table, this.dial.flow);
  }

  gaveUp(_pipe: Pipe, code: string): void {
    this.fail(errnoOf(code), true);
  }

  #receiveTimedOut(deadlineNs: number): void {
    if (this.current === undefined) return;
    this.current.recordReceiveTimeout(this.#context.clock.nowNs(), deadlineNs);
    this.fail(errnoOf("ETIMEDOUT"), true);
  }

  /** An HTTP/2 request began to wait for its first header, or got it. */
  reply(request: number, waiting: boolean): void {
    const recvNs = this.current?.recvNs(this.#context.clock.nowNs());
    if (!waiting) this.receiveTimeout.answered(request);
    else if (this.#bindings.isPending()) this.receiveTimeout.defer(request);
    else if (recvNs !== undefined) this.receiveTimeout.requested(request, this.#context.clock.nowNs(), recvNs);
  }

  #resetLeg(errno: number, injected: boolean): void {
    resetLeg(this.leg, this.#context.table, this.dial.flow, errno, injected);
  }

  /** The flow is over: the program's next read fails with this error, the peer sees a reset. */
  fail(errno: number, injected: boolean): void {
    if (this.failed) return;
    this.failed = true;
    this.#context.flushEvents();
    this.#resetLeg(errno, injected);
    this.peer?.reset();
    this.#drop();
  }

  /** The connect attempt is over without a connection. */
  abandon(): void {
    this.peer?.destroy();
    this.tearDown();
  }

  tearDown(): void {
    this.failed = true;
    this.leg?.reset();
    this.peer?.reset();
    this.#drop();
    this.#settle();
  }

  #drop(): void {
    this.uplink.destroy();
    this.downlink.destroy();
    this.receiveTimeout.disarm();
    this.#cutOff.stop();
    this.#up.destroy();
    this.#down.destroy();
  }

  /** The program closed its socket: what it wrote still goes out, then the peer's connection closes whatever the peer does. */
  programHasClosed(reset: boolean): void {
    this.programClosed = true;
    if (!this.established) {
      this.abandon();
      return;
    }
    this.downlink.destroy();
    if (this.isCutOff()) {
      if (this.failed || reset) this.tearDown();
      else this.#cutOff.checkDrained();
    } else if (reset) this.#legEnd(RESET);
    else if (this.legEnded) {
      this.#dropLeg();
      if (this.uplink.isOver()) this.peer?.close();
    }
    this.#reportStuck();
  }

  /** What is held open-endedly must not keep the program's process alive. */
  #reportStuck(): void {
    if (this.programClosed && this.uplink.held > 0 && !this.uplink.holdsWithEnd())
      this.#context.post({ type: "stuck", flow: this.dial.flow });
  }

  /** A reset in place of a FIN: a leg in TIME_WAIT would keep its port from the next connects for a minute. */
  #dropLeg(): void {
    this.downlink.destroy();
    this.leg?.reset();
  }

  #settle(): void {
    // A leg that never arrived stays claimed until the program's side has failed too.
    if (this.#done || !this.#peerClosed || !(this.legClosed || (this.leg === undefined && this.failed))) return;
    this.#done = true;
    this.#drop();
    this.#context.flushEvents();
    this.#bindings.leaveAll();
    this.#context.done(this);
  }
}

/** The chunk itself where that is all of it: a view of it would not be known as lent. */
function first(chunk: Buffer, bytes: number): Buffer {
  return bytes === chunk.length ? chunk : chunk.subarray(0, bytes);
}
