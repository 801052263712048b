/** The types and the documentation of the effect wrappers. */
import type { ConnectionErrorFields, DirectionFields, Duration, Integer, Probability, Rate, TimeoutFields } from "../policy/fields.ts";
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
}
