/** The types and the documentation of the effect wrappers. */
import type {
  ConnectionErrorFields,
  CorrelatedLossFields,
  DirectionFields,
  DnsFields,
  Duration,
  HalfOpenFields,
  Integer,
  PacketDuplicateFields,
  PacketReorderFields,
  PayloadMutationFields,
  Probability,
  Rate,
  SessionBudgetFields,
  TimeoutFields,
} from "../policy/fields.ts";
import type { FaultWrapper } from "./wrap.ts";

/** One wrapper per fault. */
export interface EffectApi {
  /**
   * Delays each packet by this much, in each direction; a round trip takes twice that. As all effects: wraps or decorates like `fault()`;
   * each call opens one scope with the fields of the scope around it and this one over them, so effects can be stacked in any order.
   *
   * @param duration with a unit: `"50ms"`, `"0.5s"`, `"250us"`.
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_POLICY`, here and not at the call, for a bad value.
   * @example
   * const load = latency("50ms")(jitter("10ms")(fetchProfile));
   */
  latency(duration: Duration): FaultWrapper;
  /**
   * Delays each packet by a further random time from 0 to this; the order within a TCP flow is kept. An effect: see `latency`.
   *
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_POLICY`.
   * @example
   * class Api { @latency("50ms") @jitter("10ms") async load() {} }
   */
  jitter(duration: Duration): FaultWrapper;
  /**
   * Loses packets with this probability. On TCP a loss is the delay that retransmission causes. An effect: see `latency`.
   *
   * @param probability with a unit: `"1%"`, `"500ppm"`.
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_POLICY`.
   * @example
   * const upload = packetLoss("1%")(sendFile);
   */
  packetLoss(probability: Probability): FaultWrapper;
  /**
   * After a loss, this many packets in total are lost in a row. Needs a `packetLoss`, here or around. An effect: see `latency`.
   *
   * @param packets a whole number from 1.
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_POLICY`.
   * @example
   * const upload = burstLoss("3")(packetLoss("1%")(sendFile));
   */
  burstLoss(packets: Integer): FaultWrapper;
  /**
   * Limits each direction of each connection to this many bits per second. An effect: see `latency`.
   *
   * @param rate with a unit: `"2mbps"` (decimal), or `"unlimited"`.
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_POLICY`.
   * @example
   * const download = rate("2mbps")(getFile);
   */
  rate(rate: Rate): FaultWrapper;
  /**
   * Fails connects and replies that take longer than this, with ETIMEDOUT; what is fast enough is not disturbed. Laid over a timeout around
   * it limit by limit. An effect: see `latency`.
   *
   * @param limits `connect` (per attempt), `recv` (from a write to the first byte of the reply), or both.
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_POLICY`.
   * @example
   * const load = timeout({ connect: "1s", recv: "5s" })(fetchProfile);
   */
  timeout(limits: TimeoutFields): FaultWrapper;
  /**
   * Faults of the direction program → peer; they win over the general ones, including zero. Laid over an `uplink` around it field by field.
   * An effect: see `latency`.
   *
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_POLICY`.
   * @example
   * const upload = uplink({ rate: "1mbps", latency: "80ms" })(sendFile);
   */
  uplink(faults: DirectionFields): FaultWrapper;
  /**
   * Faults of the direction peer → program; see `uplink`.
   *
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_POLICY`.
   * @example
   * const download = downlink({ packetLoss: "2%" })(getFile);
   */
  downlink(faults: DirectionFields): FaultWrapper;
  /**
   * Fails connects, and resets flows that were open already. An effect: see `latency`.
   *
   * @param error `kind`: `reset`, `refused` or `unreachable`; `prob`: default 100 %.
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_POLICY`.
   * @example
   * const load = connectionError({ kind: "refused", prob: "10%" })(fetchProfile);
   */
  connectionError(error: ConnectionErrorFields): FaultWrapper;
  /**
   * Loses packets in bursts, by the Gilbert-Elliott model: a good and a bad state, each with a loss of its own. Replaces `packetLoss`. An
   * effect: see `latency`.
   *
   * @param loss the probabilities, per packet, to change the state (`pGoodToBad`, `pBadToGood`) and to be lost in each (`lossGood`,
   * `lossBad`); all four.
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_POLICY`.
   * @example
   * const call = correlatedLoss({ pGoodToBad: "1%", pBadToGood: "25%", lossGood: "0%", lossBad: "100%" })(sendAudio);
   */
  correlatedLoss(loss: CorrelatedLossFields): FaultWrapper;
  /**
   * Makes connections die in use, with an error or silently. An effect: see `latency`.
   *
   * @param death `after`: wire bytes of both directions together, as a size (`"16kb"`); default: at the first use. `error`: `reset`
   * (default), `refused`, `unreachable`, or `silent`: no error, and no more bytes.
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_POLICY`.
   * @example
   * const download = halfOpen({ after: "64kb", error: "silent" })(getFile);
   */
  halfOpen(death: HalfOpenFields): FaultWrapper;
  /**
   * Delivers datagrams more than once; on TCP copies only cost bandwidth. An effect: see `latency`.
   *
   * @param duplicates `prob`: per packet, default 100 %; `maxExtra`: at most this many copies, default 1. At least one of them.
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_POLICY`.
   * @example
   * const report = packetDuplicate({ prob: "5%", maxExtra: 2 })(sendMetrics);
   */
  packetDuplicate(duplicates: PacketDuplicateFields): FaultWrapper;
  /**
   * Lets later packets overtake; on TCP, what is behind waits for the packet that is late. An effect: see `latency`.
   *
   * @param reordering `prob`: per packet, default 100 %; `window`: how many overtake, default 1; `maxDelay`: for how long at most, default
   * 50 ms; `stream`: on TCP `wait` (default), or `swap`, which changes the order of the bytes. At least one of them.
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_POLICY`.
   * @example
   * const call = packetReorder({ prob: "2%", window: 3, maxDelay: "30ms" })(sendAudio);
   */
  packetReorder(reordering: PacketReorderFields): FaultWrapper;
  /**
   * Makes name lookups slow or fail; never those of IP addresses. Laid over a `dns` around it field by field. An effect: see `latency`.
   *
   * @param faults `delay`: added to each lookup; `timeout`: it hangs this long and then fails; `nxdomain`: the probability that there is no
   * such name. At least one of them.
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_POLICY`.
   * @example
   * const load = dns({ delay: "300ms", nxdomain: "10%" })(fetchProfile);
   */
  dns(faults: DnsFields): FaultWrapper;
  /**
   * Lets each flow carry so much and then stops it. An effect: see `latency`.
   *
   * @param budget `maxTx`, `maxRx` (sizes), `maxOps` (an integer), `maxDuration`: at least one of them; `action`: `drop` (default),
   * `timeout` (with `budgetTimeout`) or `connection_error` (with `error`).
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_POLICY`.
   * @example
   * const upload = sessionBudget({ maxTx: "1mb", action: "connection_error" })(sendFile);
   */
  sessionBudget(budget: SessionBudgetFields): FaultWrapper;
  /**
   * Changes the bytes themselves: the only effect that does. An effect: see `latency`.
   *
   * @param mutation `type`, what that type needs, and which packets: `prob`, `target`, `everyNPackets`, `minSize`, `maxSize`.
   * @throws {FaultcoreError} `ERR_FAULTCORE_INVALID_POLICY`.
   * @example
   * const load = payloadMutation({ type: "corrupt_bytes", corruptCount: 1, prob: "1%" })(fetchProfile);
   */
  payloadMutation(mutation: PayloadMutationFields): FaultWrapper;
}
