/**
 * One direction of a flow: bytes in, bytes out, in order, when the engine says so.
 *
 * Owns: the order in which bindings' bytes leave, and when reading stops. Never: decisions; it tells the engine lengths and asks how many
 * bytes may leave.
 * Invariants: bytes leave in the order in which they came, once; what one binding decided is never overtaken by the next; reading
 * stops while more than `windowBytes` are held here, wait in the outgoing socket, or are on their way to be acknowledged.
 */
import type { DirectionEngine } from "../engine/direction.ts";
import type { DeadlineClock, Waiter } from "../internal/deadline-clock.ts";
import { Acknowledgements } from "./acknowledgements.ts";
import { ChunkQueue } from "./chunk-queue.ts";
import type { RelayContext } from "./context.ts";
import type { End } from "./sockets/end.ts";
import type { RelaySocket } from "./sockets/socket.ts";

export interface PipeOwner {
  /** Bytes are about to be handed to the outgoing socket. */
  releasing(): void;
  /** Bytes were handed to the outgoing socket. */
  released(pipe: Pipe, bytes: number, nowNs: number): void;
  /** The relay reads again after it had stopped. */
  resumed(pipe: Pipe, nowNs: number): void;
  /** The direction's end has arrived on the other side. */
  pipeEnded(pipe: Pipe, end: End): void;
  /** The engine gave up: retransmission failed for longer than TCP waits. */
  gaveUp(pipe: Pipe, code: string): void;
}

/** Bytes of one binding. Lanes drain one after the other; without an engine a lane adds no delay of its own. */
interface Lane {
  readonly engine: DirectionEngine | undefined;
  pending: number;
  /** Bytes that the engine released and that an earlier lane still blocks. */
  ready: number;
  /** The scope was aborted: the engine is not asked any more. */
  aborted: boolean;
}

/** Reading goes on when this much of the window is taken: what a long link carries is window ÷ round trip, less half of the rest. */
const RESUME_SHARE = 31 / 32;

export class Pipe implements Waiter {
  heapIndex = -1;
  deadlineNs = 0;
  source: RelaySocket | undefined;
  readonly #owner: PipeOwner;
  readonly #clock: DeadlineClock;
  readonly #chunks: ChunkQueue;
  readonly #windowBytes: number;
  /** Bytes that have left, as long as the sender cannot know. */
  #acknowledgements: Acknowledgements | undefined;
  readonly #lanes: Lane[] = [];
  #end: End | undefined;
  #endDone = false;
  #paused = false;
  /** When an engine has something to do next: mostly, to let something go. */
  #dueNs = Infinity;
  /** What is due sooner waits until then, or until something else comes in. */
  #restsUntilNs = -Infinity;

  constructor(owner: PipeOwner, { clock, landing, windowBytes }: RelayContext) {
    this.#owner = owner;
    this.#clock = clock;
    this.#chunks = new ChunkQueue(landing);
    this.#windowBytes = windowBytes;
  }

  /** Bytes taken in and not yet handed on. */
  get held(): number {
    return this.#chunks.bytes;
  }

  /** Where the bytes leave to. */
  set sink(sink: RelaySocket) {
    this.#chunks.sink = sink;
  }

  /** Takes bytes in, under the engine that governs them (none: they pass, behind what is held already). */
  push(chunk: Buffer, engine: DirectionEngine | undefined, nowNs: number): void {
    // Behind a reset nothing arrives any more.
    if (this.#end !== undefined) return;
    if (engine === undefined && this.#lanes.length === 0) {
      this.#pass(chunk, nowNs);
      return;
    }
    const lane = this.#laneFor(engine);
    lane.pending += chunk.length;
    if (engine === undefined) lane.ready += chunk.length;
    else engine.push(chunk.length, nowNs);
    this.#chunks.add(chunk);
    this.pump(nowNs);
  }

  /** Takes the end in: it travels behind the bytes. Returns false when the direction has ended before. */
  end(end: End, engine: DirectionEngine | undefined, nowNs: number): boolean {
    if (this.#end !== undefined) return false;
    this.#end = end;
    if (engine !== undefined) {
      this.#laneFor(engine);
      engine.end(nowNs);
    }
    this.pump(nowNs);
    return true;
  }

  /** Whether the end has arrived on the other side, or everything was dropped. */
  isOver(): boolean {
    return this.#endDone;
  }

  /** Bytes of the other direction reached this direction's sender. */
  peerReleased(nowNs: number): void {
    const engine = this.#lanes.at(-1)?.engine;
    if (engine === undefined) return;
    engine.peerReleased(nowNs);
    // They acknowledge: what waited for that may be due sooner now.
    const next = engine.nextAtNs();
    if (next < this.#dueNs) this.#schedule(next);
  }

  #schedule(nextNs: number): void {
    this.#dueNs = nextNs;
    this.#clock.schedule(this, Math.max(nextNs, this.#restsUntilNs));
  }

  #laneFor(engine: DirectionEngine | undefined): Lane {
    const last = this.#lanes.at(-1);
    if (last !== undefined && last.engine === engine) return last;
    const lane: Lane = { engine, pending: 0, ready: 0, aborted: false };
    this.#lanes.push(lane);
    return lane;
  }

  fire(nowNs: number): void {
    this.pump(nowNs);
  }

  /** Moves everything that may leave by now, and sets the next deadline. */
  pump(nowNs: number): void {
    const dueNs = this.#dueNs;
    let next = Infinity;
    let released = 0;
    let gaveUp: string | undefined;
    const lanes = this.#lanes;
    for (const lane of lanes) {
      if (lane.engine === undefined || lane.aborted) continue;
      lane.ready += lane.engine.advance(nowNs);
      next = Math.min(next, lane.engine.nextAtNs());
      gaveUp ??= lane.engine.failure()?.code;
    }
    while (lanes.length > 0) {
      const lane = lanes[0] as Lane;
      const bytes = Math.min(lane.ready, lane.pending);
      if (bytes > 0 && released === 0) this.#owner.releasing();
      if (bytes > 0 && lane.engine !== undefined) this.#left(lane.engine, bytes, released === 0 ? dueNs : Infinity);
      lane.ready -= bytes;
      lane.pending -= bytes;
      released += bytes;
      // The last lane of an engine stays while its binding lasts: it has state that the next bytes need.
      if (lane.pending > 0 || (lanes.length === 1 && lane.engine !== undefined)) break;
      lanes.shift();
    }
    if (released > 0) {
      this.#chunks.release(released);
      this.#owner.released(this, released, nowNs);
      // What nothing waits behind does not wait: an answer to this must not.
      this.#restsUntilNs = this.held > 0 ? nowNs + this.#clock.coalesceNs : -Infinity;
    }
    this.#schedule(next);
    if (gaveUp !== undefined) {
      this.#owner.gaveUp(this, gaveUp);
      return;
    }
    this.#finish();
    this.#throttle();
  }

  #left(engine: DirectionEngine, bytes: number, dueNs: number): void {
    const leftNs = this.#clock.nowNs();
    engine.times?.leave(bytes, leftNs, dueNs <= leftNs ? leftNs - dueNs : undefined);
    const backNs = engine.backNs(leftNs);
    if (backNs <= 0) return;
    this.#acknowledgements ??= new Acknowledgements(this.#clock, () => this.#throttle());
    this.#acknowledgements.expect(bytes, leftNs + backNs);
  }

  #finish(): void {
    if (this.#end === undefined || this.#endDone || this.held > 0) return;
    const lane = this.#lanes.at(-1);
    if (lane?.engine !== undefined && !lane.aborted && !lane.engine.ended()) return;
    this.#endDone = true;
    this.#owner.pipeEnded(this, this.#end);
  }

  /** Passes a chunk on at once. */
  #pass(chunk: Buffer, nowNs: number): void {
    this.#owner.releasing();
    this.#chunks.pass(chunk);
    this.#owner.released(this, chunk.length, nowNs);
    this.#throttle();
  }

  /** Stops or resumes reading. */
  #throttle(): void {
    const engine = this.#lanes.at(-1)?.engine;
    const blocked = engine !== undefined && (engine.blocked() || engine.stalled(this.#clock.nowNs()));
    const waiting = this.held + this.#chunks.unwritten + (this.#acknowledgements?.bytes() ?? 0);
    const full = waiting > this.#windowBytes * (this.#paused ? RESUME_SHARE : 1);
    if (blocked || full) {
      if (!this.#paused) {
        this.#paused = true;
        this.source?.pause();
      }
      if (full) this.#acknowledgements?.wait();
    } else if (this.#paused) {
      this.#paused = false;
      const nowNs = this.#clock.nowNs();
      this.#lanes.at(-1)?.engine?.resumed(nowNs);
      this.#owner.resumed(this, nowNs);
      this.source?.resume();
    }
  }

  /** The outgoing socket has written what had to wait. */
  drained(): void {
    this.#chunks.noteWritten();
    this.#throttle();
  }

  /** A scope ended: what it decided keeps its time, what it held open-endedly leaves, and new bytes pass. */
  detach(engine: DirectionEngine | undefined, nowNs: number): void {
    if (engine === undefined) return;
    const last = this.#lanes.at(-1);
    engine.detach(nowNs);
    // New bytes come after these in order, without a delay of their own.
    if (last?.engine === engine && this.#end === undefined) this.#laneFor(undefined);
    this.pump(nowNs);
  }

  /** A scope was aborted: everything that it holds leaves now, as soon as what is before it has left. */
  abort(engine: DirectionEngine | undefined, nowNs: number): void {
    if (engine === undefined) return;
    this.detach(engine, nowNs);
    for (const lane of this.#lanes) {
      if (lane.engine !== engine) continue;
      lane.ready = lane.pending;
      lane.aborted = true;
    }
    engine.abandon();
    this.#acknowledgements?.forget();
    this.pump(nowNs);
  }

  /** Whether bytes of this engine are still held. */
  holds(engine: DirectionEngine): boolean {
    return this.#lanes.some((lane) => lane.engine === engine && lane.pending > 0);
  }

  /** Bytes are held whose release has a time (and not an open-ended hold). */
  holdsWithEnd(): boolean {
    return this.held > 0 && !this.#lanes.some((lane) => lane.engine?.blocked() === true);
  }

  /** Drops everything. */
  destroy(): void {
    this.#clock.cancel(this);
    for (const { engine } of this.#lanes) engine?.abandon();
    this.#acknowledgements?.forget();
    this.#chunks.clear();
    this.#lanes.length = 0;
    this.#endDone = true;
  }
}
