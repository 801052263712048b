/**
 * One wrapper per fault: each adds its field to the scope around a call.
 *
 * A call opens one scope of its own with the fields of the scope around it (or the activation), and the effects over them. Effects that
 * are stacked make one wrapper, and one scope per call, whatever their order; of two that set the same field, the inner one wins.
 */
import { FaultcoreError } from "../errors.ts";
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
  PolicyFields,
  Probability,
  Rate,
  SessionBudgetFields,
  TimeoutFields,
} from "../policy/fields.ts";
import type { CompiledPolicy } from "../policy/types.ts";
import type { ScopeManager } from "./manager.ts";
import { mergeFields } from "./merge.ts";
import type { Applicable, Policies } from "./policies.ts";
import { makeWrapper, replaceFunction } from "./wrap.ts";
import type { AnyFunction, FaultWrapper } from "./wrap.ts";

interface Stacked {
  /** The function below all effects. */
  readonly fn: AnyFunction;
  readonly effect: Applicable;
}

export class Effects {
  readonly #manager: ScopeManager;
  readonly #policies: Policies;
  /** What the wrappers that were made here consist of. */
  readonly #stacks = new WeakMap<AnyFunction, Stacked>();

  constructor(manager: ScopeManager, policies: Policies) {
    this.#manager = manager;
    this.#policies = policies;
  }

  /** Throws `ERR_FAULTCORE_INVALID_POLICY` for a bad value, `ERR_FAULTCORE_INVALID_ARGUMENT` for none. */
  effect(label: string, fields: PolicyFields): FaultWrapper {
    // A field that is undefined is absent: the effect would do nothing, and say nothing.
    if (Object.values(fields).every((value) => value === undefined)) {
      throw new FaultcoreError("ERR_FAULTCORE_INVALID_ARGUMENT", `${label}() takes the value of its field, but got nothing`);
    }
    const own = this.#policies.inline(fields);
    return makeWrapper(`${label}()`, (fn) => {
      const below = this.#stacks.get(fn);
      return below === undefined ? this.#wrap(fn, own) : this.#wrap(below.fn, this.#over(own, below.effect));
    });
  }

  latency(duration: Duration): FaultWrapper {
    return this.effect("latency", { latency: duration });
  }

  jitter(duration: Duration): FaultWrapper {
    return this.effect("jitter", { jitter: duration });
  }

  packetLoss(probability: Probability): FaultWrapper {
    return this.effect("packetLoss", { packetLoss: probability });
  }

  burstLoss(packets: Integer): FaultWrapper {
    return this.effect("burstLoss", { burstLoss: packets });
  }

  rate(rate: Rate): FaultWrapper {
    return this.effect("rate", { rate });
  }

  timeout(limits: TimeoutFields): FaultWrapper {
    return this.effect("timeout", { timeout: limits });
  }

  uplink(faults: DirectionFields): FaultWrapper {
    return this.effect("uplink", { uplink: faults });
  }

  downlink(faults: DirectionFields): FaultWrapper {
    return this.effect("downlink", { downlink: faults });
  }

  connectionError(error: ConnectionErrorFields): FaultWrapper {
    return this.effect("connectionError", { connectionError: error });
  }

  correlatedLoss(loss: CorrelatedLossFields): FaultWrapper {
    return this.effect("correlatedLoss", { correlatedLoss: loss });
  }

  halfOpen(death: HalfOpenFields): FaultWrapper {
    return this.effect("halfOpen", { halfOpen: death });
  }

  packetDuplicate(duplicates: PacketDuplicateFields): FaultWrapper {
    return this.effect("packetDuplicate", { packetDuplicate: duplicates });
  }

  packetReorder(reordering: PacketReorderFields): FaultWrapper {
    return this.effect("packetReorder", { packetReorder: reordering });
  }

  dns(faults: DnsFields): FaultWrapper {
    return this.effect("dns", { dns: faults });
  }

  sessionBudget(budget: SessionBudgetFields): FaultWrapper {
    return this.effect("sessionBudget", { sessionBudget: budget });
  }

  payloadMutation(mutation: PayloadMutationFields): FaultWrapper {
    return this.effect("payloadMutation", { payloadMutation: mutation });
  }

  #wrap(fn: AnyFunction, effect: Applicable): AnyFunction {
    // The scope around is mostly the same one policy, and compiling is not for every call.
    const merged = new WeakMap<CompiledPolicy, Applicable>();
    const wrapper = replaceFunction(fn, (original, self, args) => {
      const around = this.#manager.governing();
      let applicable: Applicable | undefined = effect;
      if (around !== undefined) {
        applicable = merged.get(around.policy);
        if (applicable === undefined) {
          applicable = this.#over({ policy: around.policy, fields: around.fields }, effect);
          merged.set(around.policy, applicable);
        }
      }
      const record = this.#manager.open(applicable);
      return this.#manager.apply(record, () => original.apply(self as never, args as never));
    });
    this.#stacks.set(wrapper, { fn, effect });
    return wrapper;
  }

  #over(under: Applicable, over: Applicable): Applicable {
    return this.#policies.inline(mergeFields(under.fields, over.fields));
  }
}
