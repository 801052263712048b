/** Which policies the relay has been told, and under which numbers: a body travels once. */
import type { CompiledPolicy } from "../policy/types.ts";
import type { PolicyTable } from "../table/table.ts";
import type { RelayHost } from "./host.ts";

/** Policies whose bodies the relay is left with although no scope uses them. */
const MAX_IDLE = 256;

interface Known {
  readonly id: number;
  users: number;
  sent: boolean;
}

export class KnownPolicies {
  readonly #table: PolicyTable;
  readonly #host: RelayHost;
  /** In the order of their latest use. */
  readonly #policies = new Map<CompiledPolicy, Known>();

  constructor(table: PolicyTable, host: RelayHost) {
    this.#table = table;
    this.#host = host;
  }

  /** A scope begins to use a policy. Returns the number under which every relay knows it. */
  use(policy: CompiledPolicy): number {
    const known = this.#policies.get(policy) ?? { id: this.#table.nextPolicyId(), users: 0, sent: false };
    this.#policies.delete(policy);
    this.#policies.set(policy, known);
    known.users++;
    if (!known.sent && this.#host.running) this.#send(policy, known);
    return known.id;
  }

  /** A scope is over. Bodies that have been idle for longest are forgotten when there are many. */
  drop(policy: CompiledPolicy): void {
    const known = this.#policies.get(policy);
    if (known === undefined) return;
    known.users--;
    for (const [idle, { id, users }] of this.#policies) {
      if (this.#policies.size <= MAX_IDLE) return;
      if (users > 0) continue;
      this.#policies.delete(idle);
      this.#host.post({ type: "forget", policyId: id });
    }
  }

  /** A fresh relay knows nothing. */
  sendAll(): void {
    for (const [policy, known] of this.#policies) this.#send(policy, known);
  }

  #send(policy: CompiledPolicy, known: Known): void {
    known.sent = true;
    this.#host.post({ type: "policy", policyId: known.id, policy });
  }
}
