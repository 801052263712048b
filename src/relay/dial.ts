/**
 * One connect attempt: the plan of the engine, the real dial, the verdict.
 *
 * The dial leaves when the first SYN that survives has travelled; the verdict returns one downlink delay after the peer accepted. The
 * leg connects meanwhile; both must be there before the program is told.
 */
import { connectTimeoutDecision, planConnect } from "../engine/connect.ts";
import type { ConnectPlan } from "../engine/connect.ts";
import { faultBit, measureOne } from "../engine/packet-times.ts";
import { DOWNLINK } from "../engine/types.ts";
import type { Decision } from "../engine/types.ts";
import type { Waiter } from "../internal/deadline-clock.ts";
import { createWaiter } from "../internal/deadline-clock.ts";
import type { FlowBinding } from "./binding.ts";
import type { RelayContext } from "./context.ts";
import { RelayFlow } from "./flow.ts";
import { LEG_WAIT_MS } from "./missing-legs.ts";
import type { DialMessage, Endpoint } from "./protocol.ts";
import { errnoOf } from "../internal/errnos.ts";
import type { RelaySocket } from "./sockets/socket.ts";

const isFailure = ({ code, fault }: Decision): boolean => code !== undefined && (fault === "connection_error" || fault === "timeout");

const LEG_WAIT_NS = LEG_WAIT_MS * 1e6;

export class Dial {
  readonly flow: RelayFlow;
  readonly #context: RelayContext;
  readonly #message: DialMessage;
  readonly #waiters: Waiter[] = [];
  #plan: ConnectPlan | undefined;
  /** Whose the plan is, and which of its faults delay the dial and the answer. */
  readonly #binding: FlowBinding | undefined;
  #faults: { readonly there: number; readonly back: number } = { there: 0, back: 0 };
  /** The real verdict is there, and travels back. */
  #verdict: (() => void) | undefined;
  #dialled = false;
  #peerReady = false;
  // Kept from the instant of the accept: a peer that resets at once has no addresses any more when the verdict leaves.
  #local: Endpoint = { address: "", port: 0, family: "" };
  #remote: Endpoint = this.#local;
  #over = false;

  constructor(context: RelayContext, message: DialMessage) {
    this.#context = context;
    this.#message = message;
    this.flow = new RelayFlow(context, message);
    const binding = this.flow.current;
    this.#binding = binding;
    if (binding === undefined) {
      this.#dial();
    } else {
      const { faults } = binding.policy;
      const plan = planConnect({
        up: faults.uplink,
        down: faults.downlink,
        timeoutConnectNs: binding.connectNs(message.startNs),
        connectionError: faults.connectionError,
        key: binding.key,
        attempt: message.attempt,
        severityAt: (afterNs) => binding.severity.at(message.startNs + afterNs),
      });
      this.#plan = plan;
      this.#faults = faultsOf(plan);
      const record = (decision: Decision): void => binding.record({ ...decision, atNs: message.startNs + decision.atNs });
      // A failure is recorded when it happens: the program may give up before. Loss acts from the start.
      for (const decision of plan.decisions) if (!isFailure(decision)) record(decision);
      if (plan.error !== undefined) {
        const { code, atNs, fault } = plan.error;
        this.#at(atNs, () => {
          for (const decision of plan.decisions) if (isFailure(decision) && decision.fault === fault) record(decision);
          this.#measure(faultBit(fault), message.startNs);
          this.#fail(errnoOf(code), true, false, undefined);
        });
      } else this.#at(plan.dialAfterNs, () => this.#dial());
      if (plan.timeoutAtNs !== undefined) this.#at(plan.timeoutAtNs, () => this.#connectTimedOut());
    }
    // Counted from now: a burst of connects may have waited for its turn.
    this.#waitUntil(context.clock.nowNs() + LEG_WAIT_NS, () => this.#legOverdue());
  }

  #at(afterNs: number, fire: () => void): void {
    this.#waitUntil(this.#message.startNs + afterNs, fire);
  }

  #waitUntil(deadlineNs: number, fire: () => void): void {
    const waiter = createWaiter((nowNs) => {
      this.#binding?.measures.late(nowNs - deadlineNs);
      fire();
    });
    this.#waiters.push(waiter);
    if (deadlineNs <= this.#context.clock.nowNs()) fire();
    else this.#context.clock.schedule(waiter, deadlineNs);
  }

  legArrived(leg: RelaySocket): void {
    this.flow.attachLeg(leg);
    this.#complete();
  }

  /** The program closed the socket while it was dialling. */
  closed(reset: boolean): void {
    this.#finish();
    this.flow.programHasClosed(reset);
  }

  /** The scope ended: a connect that would never have been let through is dialled now. */
  release(): void {
    if (this.#over || this.#dialled || this.#plan?.error?.fault !== "packet_loss") return;
    this.#dropPlan();
    this.#dial();
  }

  /** The scope was aborted: a connect that waits is dialled or answered now, and nothing is held of the flow. */
  abort(scope: number): void {
    if (this.#binding?.scope === scope && !this.#over) {
      this.#dropPlan();
      if (this.#verdict === undefined) this.#dial();
      else this.#verdict();
    }
    this.flow.abortScope(scope);
  }

  #dropPlan(): void {
    this.#cancel();
    this.#plan = undefined;
    this.flow.connectOver();
    this.#waitUntil(this.#context.clock.nowNs() + LEG_WAIT_NS, () => this.#legOverdue());
  }

  /** The real verdict came at `sinceNs`, and travels back for so long. */
  #answer(sinceNs: number, delayNs: number, tell: () => void): void {
    this.#verdict = () => {
      this.#measure(this.#faults.back, sinceNs);
      tell();
    };
    this.#waitUntil(sinceNs + delayNs, this.#verdict);
  }

  #measure(faults: number, sinceNs: number): void {
    if (this.#binding !== undefined) measureOne(this.#binding.measures, faults, this.#context.clock.nowNs() - sinceNs);
  }

  #dial(): void {
    if (this.#over || this.#dialled) return;
    this.#dialled = true;
    const { address, port } = this.#message;
    const dialledNs = this.#context.clock.nowNs();
    this.#measure(this.#faults.there, this.#message.startNs);
    const peer = this.#context.network.dial(this.#message, {
      connected: () => {
        const nowNs = this.#context.clock.nowNs();
        this.#local = peer.localName();
        this.#remote = this.#peerName(peer);
        this.flow.peerConnected(this.#context.roundTrips.note(address, port, nowNs - dialledNs));
        this.#answer(nowNs, this.#plan?.reportDelayNs ?? 0, () => {
          this.#peerReady = true;
          this.#complete();
        });
      },
      failed: (errno, unconnected) => this.#dialFailed(errno, unconnected),
    });
    this.flow.attachPeer(peer);
  }

  /** The peer's name is what was dialled, as the kernel writes it: only IPv4 has one way to write an address, and of that, 0.0.0.0 is none. */
  #peerName(peer: RelaySocket): Endpoint {
    const { address, port, family } = this.#message;
    if (family === 4 && address !== "0.0.0.0") return { address, port, family: "IPv4" };
    return peer.remoteName();
  }

  #dialFailed(errno: number, unconnected: string | undefined): void {
    const sync = unconnected !== undefined && this.#message.localPort === undefined;
    // What the kernel refuses at once never was on the network, so nothing delays the answer.
    const delayNs = sync ? 0 : (this.#plan?.reportDelayNs ?? 0);
    this.#answer(this.#context.clock.nowNs(), delayNs, () => this.#fail(errno, false, sync, unconnected));
  }

  #complete(): void {
    if (this.#over || !this.#peerReady || this.flow.leg === undefined) return;
    this.#finish();
    this.#context.flushEvents();
    this.#context.post({ type: "connected", flow: this.#message.flow, local: this.#local, remote: this.#remote });
    this.flow.establish();
  }

  #connectTimedOut(): void {
    const timeoutNs = this.#plan?.timeoutAtNs ?? 0;
    this.#binding?.record(connectTimeoutDecision(this.#message.attempt, this.#context.clock.nowNs(), timeoutNs));
    this.#measure(faultBit("timeout"), this.#message.startNs);
    this.#fail(errnoOf("ETIMEDOUT"), true, false, undefined);
  }

  #legOverdue(): void {
    if (this.#over || this.flow.leg !== undefined) return;
    this.#finish();
    this.#context.post({
      type: "lost",
      flow: this.#message.flow,
      reason: "the program's side of the connection did not reach the relay within 5 s",
    });
    this.flow.abandon();
  }

  #fail(errno: number, injected: boolean, sync: boolean, local: string | undefined): void {
    if (this.#over) return;
    this.#finish();
    this.#context.flushEvents();
    this.#context.post({ type: "failed", flow: this.#message.flow, errno, sync, local, injected });
    this.flow.abandon();
  }

  #cancel(): void {
    for (const waiter of this.#waiters) this.#context.clock.cancel(waiter);
    this.#waiters.length = 0;
  }

  #finish(): void {
    this.#over = true;
    this.#cancel();
    this.flow.connectOver();
  }
}

/** Which faults of a plan delay the dial, and which the answer. */
function faultsOf({ decisions }: ConnectPlan): { readonly there: number; readonly back: number } {
  let [there, back] = [0, 0];
  for (const decision of decisions) {
    if (isFailure(decision)) continue;
    // An answer that is lost costs another SYN.
    if (decision.direction === DOWNLINK && (decision.fault === "latency" || decision.fault === "jitter")) back |= faultBit(decision.fault);
    else there |= faultBit(decision.fault);
  }
  return { there, back };
}
