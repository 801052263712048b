/**
 * Watches a flow for the hello that names its server: at its first byte, and where TLS is put on top of it later (STARTTLS, proxies), which
 * the program's side notes in the flow's row before the hello leaves. Plain text costs a look at its first byte.
 */
import { upgradeOffset } from "../table/flows.ts";
import type { PolicyTable } from "../table/table.ts";
import { ClientHello } from "./client-hello.ts";

export class ServerName {
  readonly #table: PolicyTable;
  readonly #flow: number;
  #hello: ClientHello | undefined = new ClientHello();
  /** Where the latest hello that was looked for begins. */
  #helloAt = 0;
  #known = false;

  constructor(table: PolicyTable, flow: number) {
    this.#table = table;
    this.#flow = flow;
  }

  /** Takes the program's bytes, the first of which is uplink byte `offset`. Returns the name when they complete a hello that has one. */
  take(chunk: Uint8Array, offset: number): string | undefined {
    // A second hello on the same connection is encrypted, or repeats the first.
    if (this.#known) return undefined;
    let bytes = chunk;
    if (this.#hello === undefined) {
      const at = upgradeOffset(this.#table, this.#flow);
      if (at === undefined || at <= this.#helloAt || at >= offset + chunk.length) return undefined;
      this.#helloAt = at;
      this.#hello = new ClientHello();
      bytes = chunk.subarray(Math.max(0, at - offset));
    }
    this.#hello.push(bytes);
    if (!this.#hello.done) return undefined;
    const { serverName } = this.#hello;
    this.#hello = undefined;
    this.#known = serverName !== undefined;
    return serverName;
  }
}
