/** One steered flow as the program's thread keeps it: its row, its bindings, how far it has come. */
import { armReceive, flowError, isGenuineFin, isReset, markTls, markUpgrade } from "../table/flows.ts";
import type { PolicyTable } from "../table/table.ts";
import type { RelayHost } from "./host.ts";
import type { CloseKind, ConnectedMessage, FailedMessage } from "./protocol.ts";

/** What a dial needs besides the table. */
export interface FlowRequest {
  readonly address: string;
  readonly port: number;
  readonly family: 4 | 6;
  readonly hostname: string | undefined;
  readonly serverName?: string | undefined;
  readonly localAddress: string | undefined;
  readonly localPort: number | undefined;
  readonly startNs: number;
  readonly attempt: number;
  startLeg(relayPort: number): number;
  connected(message: ConnectedMessage): void;
  failed(message: Pick<FailedMessage, "errno" | "sync" | "local" | "injected">): void;
  broken(error: Error): void;
  died(): void;
  /** Bytes that the program has written: for a flush. */
  bytesWritten(): number;
  /** Whether the program has read nothing since its latest write. */
  isWaiting(): boolean;
}

/** Where a flow's bindings come from: the reference of a scope and what the flow is called in it. */
export interface FlowKey {
  readonly scope: number;
  readonly flowHash: bigint;
  readonly ordinal: number;
}

/** What a flow asks of the client that it belongs to. */
export interface FlowOwner {
  readonly table: PolicyTable;
  readonly host: RelayHost;
  bind(flow: FlowClient, key: FlowKey, offset: number): void;
  close(flow: FlowClient, how: CloseKind): void;
  whenAlive(callback: (alive: boolean) => void): void;
}

export class FlowClient {
  readonly id: number;
  readonly request: FlowRequest;
  readonly #owner: FlowOwner;
  sequence = 0;
  boundTo = 0;
  /** A scope opened the flow. */
  bornBound = false;
  /** The relay has been asked to dial. */
  started = false;
  /** The verdict has come. */
  settled = false;
  closed = false;
  /** The relay is done with the row. */
  done = false;
  /** Closed, with bytes that the relay may still hold: keeps the process alive. */
  holdsProcess = false;

  constructor(owner: FlowOwner, id: number, request: FlowRequest) {
    this.#owner = owner;
    this.id = id;
    this.request = request;
  }

  /** From uplink byte `offset` on, the flow belongs to this scope. */
  bind(key: FlowKey, offset: number): void {
    this.boundTo = key.scope;
    this.#owner.bind(this, key, offset);
  }

  arm(offset: number, tls: boolean): void {
    if (tls) markTls(this.#owner.table, this.id);
    armReceive(this.#owner.table, this.id, offset);
  }

  setKeepAlive(enable: boolean, delaySeconds: number): void {
    this.#owner.host.post({ type: "option", flow: this.id, keepAlive: { enable, delaySeconds } });
  }

  /** TLS carries the flow: its hello begins at this uplink byte, and what follows on the wire is ciphertext. */
  startTls(offset: number): void {
    markTls(this.#owner.table, this.id);
    markUpgrade(this.#owner.table, this.id, offset);
  }

  reply(request: number, waiting: boolean): void {
    this.#owner.host.post({ type: "reply", flow: this.id, request, waiting });
  }

  finIsGenuine(): boolean {
    return isGenuineFin(this.#owner.table, this.id);
  }

  wasReset(): boolean {
    return isReset(this.#owner.table, this.id);
  }

  whenAlive(callback: (alive: boolean) => void): void {
    this.#owner.whenAlive(callback);
  }

  storedError(): { errno: number; injected: boolean } {
    return flowError(this.#owner.table, this.id);
  }

  close(how: CloseKind): void {
    this.#owner.close(this, how);
  }
}
