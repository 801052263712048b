/**
 * Datagrams that wait on the program's own thread: one binding of a UDP flow to a scope, with an engine for each direction.
 *
 * Owns: the bytes of datagrams on their way, and the instants at which they leave or are delivered. Never: the decision (`engine/datagrams.ts`),
 * Node's sockets (`steer/dgram.ts`). Invariants: nothing leaves early; what is on its way is bounded by the window; when the scope has
 * ended, nothing new is decided or recorded; uplink datagrams keep the process alive until they have left, downlink ones never do.
 */
import { DatagramDirection } from "../engine/datagrams.ts";
import type { Arrival } from "../engine/datagrams.ts";
import { decisionAt } from "../engine/decisions.ts";
import { Draws } from "../engine/draw.ts";
import { connectErrorCode, type ConnectionErrorCode } from "../engine/faults/connection-error.ts";
import { mutates, PayloadMutation } from "../engine/faults/payload-mutation.ts";
import type { Link } from "../engine/faults/rate.ts";
import { SessionBudget } from "../engine/faults/session-budget.ts";
import type { Severity } from "../engine/faults/schedule.ts";
import { measureOne } from "../engine/packet-times.ts";
import type { MeasureSink } from "../engine/packet-times.ts";
import type { DecisionSink, Direction, DirectionFaults, DrawKey, FlowFaults } from "../engine/types.ts";
import { DOWNLINK, UPLINK } from "../engine/types.ts";
import { DeadlineClock } from "../internal/deadline-clock.ts";
import type { Waiter } from "../internal/deadline-clock.ts";

/** A datagram as the adapter has it; `take` copies its bytes out of buffers that the program may use again. */
export interface Datagram {
  readonly bytes: number;
  take(): Uint8Array;
  /** Whatever belongs to it: handed back with the bytes. */
  readonly tag?: unknown;
}

/** What becomes of datagrams that do not go on at once, and unchanged. */
export interface DatagramPort {
  /** The datagram leaves for the peer now. */
  transmit(bytes: Uint8Array): void;
  /** The datagram arrives at the program now. */
  deliver(bytes: Uint8Array, tag: unknown): void;
  /** The socket fails as it does when the network reports an error. */
  fail(code: ConnectionErrorCode): void;
  /** No uplink datagram is on its way any more. */
  drained(): void;
}

/** The two clocks of a thread's datagrams. */
export class DatagramClocks {
  readonly up: DeadlineClock;
  readonly down: DeadlineClock;

  constructor(precision: "normal" | "fine") {
    this.up = new DeadlineClock(precision);
    this.down = new DeadlineClock(precision, { hold: false });
  }
}

export interface DatagramBindingOptions {
  readonly faults: FlowFaults;
  readonly key: DrawKey;
  readonly severity: Severity;
  readonly windowBytes: number;
  /** Transmitters that the scope's flows share, one a direction; undefined: the flow has its own. */
  readonly links: readonly [up: Link, down: Link] | undefined;
  readonly record: DecisionSink;
  /** Where it goes how long datagrams were really kept. */
  readonly measures: MeasureSink;
  /** Called when nothing of the binding is in force or on its way any more, perhaps more than once. */
  readonly over: () => void;
}

export class DatagramBinding {
  readonly #port: DatagramPort;
  readonly #options: DatagramBindingOptions;
  readonly #up: Lane;
  readonly #down: Lane;
  #budget: SessionBudget | undefined;
  #live = true;

  constructor(clocks: DatagramClocks, port: DatagramPort, options: DatagramBindingOptions) {
    this.#port = port;
    this.#options = options;
    const record: DecisionSink = (decision) => {
      if (this.#live) options.record(decision);
    };
    const { uplink, downlink, sessionBudget } = options.faults;
    this.#up = new Lane(
      clocks.up,
      UPLINK,
      uplink,
      { ...options, record },
      ({ bytes }) => port.transmit(bytes!),
      () => {
        port.drained();
        this.#checkOver();
      },
    );
    this.#down = new Lane(
      clocks.down,
      DOWNLINK,
      downlink,
      { ...options, record },
      ({ bytes, datagram }) => port.deliver(bytes!, datagram.tag),
      () => this.#checkOver(),
    );
    this.#budget = sessionBudget && new SessionBudget(sessionBudget, clocks.up.nowNs());
  }

  /** Uplink datagrams on their way. */
  get pending(): number {
    return this.#up.pending;
  }

  /** The program sends a datagram. True: it goes out at once, as it is. */
  send(datagram: Datagram): boolean {
    return this.#admits(this.#up, datagram) && this.#up.push(datagram);
  }

  /** A datagram came from the peer. True: the program gets it at once, as it is. */
  receive(datagram: Datagram): boolean {
    return this.#admits(this.#down, datagram) && this.#down.push(datagram);
  }

  /** The scope ended, or the flow has another one now. What is decided keeps its times. */
  detach(): void {
    if (!this.#live) return;
    this.#live = false;
    this.#up.detach();
    this.#down.detach();
    this.#checkOver();
  }

  /** The scope was aborted: what is on its way arrives now. */
  abort(): void {
    this.detach();
    this.#up.flush();
    this.#down.flush();
  }

  /** The socket was closed: nothing arrives any more; what was sent still leaves. */
  close(): void {
    this.detach();
    this.#down.abandon();
    this.#checkOver();
  }

  /** The process ends, or has waited long enough: what has not left is lost. */
  abandon(): void {
    this.close();
    this.#up.abandon();
    this.#checkOver();
  }

  #checkOver(): void {
    if (!this.#live && this.#up.pending === 0 && this.#down.pending === 0) this.#options.over();
  }

  /** `session_budget`: a datagram beyond it is lost; the first one also does what the policy says. */
  #admits(lane: Lane, { bytes }: Datagram): boolean {
    const budget = this.#budget;
    const fault = this.#options.faults.sessionBudget;
    if (budget === undefined || fault === undefined) return true;
    const nowNs = lane.nowNs();
    const before = budget.exceeded;
    if (budget.admitDatagram(lane.direction, bytes, nowNs)) return true;
    // As on a stream: asked once, when the limit is crossed. What is over stays over.
    if (before === undefined && !this.#options.severity.acts(new Draws(this.#options.key), "session_budget", nowNs)) {
      this.#budget = undefined;
      return true;
    }
    const code = fault.action === "connection_error" && before === undefined ? connectErrorCode(fault.error) : undefined;
    const what = before === undefined ? `${budget.exceeded}: ${fault.action}` : "dropped";
    this.#options.record(decisionAt(lane.position, nowNs, bytes, "session_budget", what, 0, code));
    lane.skip();
    if (code !== undefined) this.#port.fail(code);
    return false;
  }
}

/** A datagram in the hands of an engine. Its bytes are taken when it turns out that it has to wait. */
interface Held {
  readonly datagram: Datagram;
  bytes: Uint8Array | undefined;
}

class Lane implements Waiter {
  heapIndex = -1;
  deadlineNs = 0;
  readonly direction: Direction;
  readonly #clock: DeadlineClock;
  readonly #engine: DatagramDirection<Held>;
  readonly #mutation: PayloadMutation | undefined;
  readonly #release: (held: Held) => void;
  readonly #drained: () => void;
  readonly #measures: MeasureSink;
  #abandoned = false;

  constructor(
    clock: DeadlineClock,
    direction: Direction,
    faults: DirectionFaults,
    options: DatagramBindingOptions,
    release: (held: Held) => void,
    drained: () => void,
  ) {
    const { key, record, severity, windowBytes, links } = options;
    const { mutation } = options.faults;
    this.#clock = clock;
    this.direction = direction;
    this.#release = release;
    this.#drained = drained;
    this.#measures = options.measures;
    this.#engine = new DatagramDirection({ direction, faults, key, windowBytes, severity, onDecision: record, link: links?.[direction] });
    this.#mutation = mutates(mutation, direction)
      ? new PayloadMutation({ fault: mutation, key, onDecision: record, severityAt: (nowNs) => severity.at(nowNs) })
      : undefined;
  }

  get pending(): number {
    return this.#abandoned ? 0 : this.#engine.pending;
  }

  get position(): DatagramDirection<Held>["position"] {
    return this.#engine.position;
  }

  nowNs(): number {
    return this.#clock.nowNs();
  }

  /** A datagram counts, and goes no further. */
  skip(): void {
    this.#engine.skip();
  }

  /** True: the datagram goes on at once, as it is. */
  push(datagram: Datagram): boolean {
    const nowNs = this.#clock.nowNs();
    const held: Held = { datagram, bytes: this.#mutated(datagram, nowNs) };
    const changed = held.bytes !== undefined;
    this.#engine.push(held, held.bytes?.length ?? datagram.bytes, nowNs);
    const arrived = this.#engine.advance(nowNs);
    const last = arrived.at(-1);
    // Behind it nothing may come: what it has overtaken leaves after it.
    const goesOn = !changed && last?.payload === held && last.copy === 0;
    // Its buffers are the program's: whatever waits, or is sent by us, needs bytes of its own. A copy may have overtaken it.
    const sentByUs = !goesOn || arrived.some((arrival) => arrival !== last && arrival.payload === held);
    if (held.bytes === undefined && (this.#engine.pending > 0 || sentByUs)) held.bytes = datagram.take();
    for (const arrival of arrived) {
      if (!goesOn || arrival !== last) this.#pass(arrival);
      else this.#measure(arrival);
    }
    this.#clock.schedule(this, this.#engine.nextAtNs());
    return goesOn;
  }

  fire(nowNs: number): void {
    const dueNs = this.deadlineNs;
    const arrived = this.#engine.advance(nowNs);
    if (arrived.length > 0 && dueNs > 0) this.#measures.late(Math.max(0, nowNs - dueNs));
    for (const arrival of arrived) this.#pass(arrival);
    this.#clock.schedule(this, this.#engine.nextAtNs());
    if (this.#engine.pending === 0) this.#drained();
  }

  /** What is on its way arrives now, in the order in which it would have. */
  flush(): void {
    if (this.pending === 0) return;
    this.#clock.cancel(this);
    for (const arrival of this.#engine.advance(Number.MAX_VALUE)) this.#pass(arrival);
    this.#drained();
  }

  #pass(arrival: Arrival<Held>): void {
    this.#measure(arrival);
    this.#release(arrival.payload);
  }

  #measure({ sentNs, faults }: Arrival<Held>): void {
    if (faults !== 0) measureOne(this.#measures, faults, this.#clock.nowNs() - sentNs);
  }

  detach(): void {
    const nowNs = this.#clock.nowNs();
    this.#engine.detach(nowNs);
    // What waited to be overtaken goes on now.
    this.#clock.schedule(this, Math.max(nowNs, this.#engine.nextAtNs()));
  }

  abandon(): void {
    this.#abandoned = true;
    this.#clock.cancel(this);
  }

  /** The changed bytes; undefined where nothing was changed. */
  #mutated(datagram: Datagram, nowNs: number): Uint8Array | undefined {
    if (this.#mutation === undefined) return undefined;
    const bytes = datagram.take();
    const changed = this.#mutation.datagram(bytes, this.#engine.position, nowNs);
    return changed === bytes ? undefined : changed;
  }
}
