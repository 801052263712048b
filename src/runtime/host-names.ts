/**
 * Which names the program looked its addresses up by, so that host name rules reach clients that resolve first and dial an address.
 *
 * Owns: the memory, and its bound: the names that were used longest ago leave first. Nothing expires: a flow keeps the name that it was
 * given when it was dialled.
 */
import { parseAddress } from "../policy/addresses.ts";
import { isIPv4 } from "node:net";
import type { ScopeRecord } from "../scope/record.ts";

/** Addresses that are remembered, in the process and in each scope. */
const MAX_ADDRESSES = 4096;
const MAX_ADDRESSES_OF_SCOPE = 1024;

export interface KnownName {
  readonly hostname: string;
  /** The name was looked up by somebody else: it may not be what this flow is meant for. */
  readonly guessed: boolean;
}

export class HostNames {
  readonly #all = new Map<string, string>();
  readonly #ofScope = new WeakMap<ScopeRecord, Map<string, string>>();

  /** The name has these addresses, as was found in this scope (undefined: outside of all). */
  learn(record: ScopeRecord | undefined, hostname: string, addresses: readonly string[]): void {
    let own = record && this.#ofScope.get(record);
    if (record !== undefined && own === undefined) this.#ofScope.set(record, (own = new Map()));
    for (const address of addresses) {
      const key = keyOf(address);
      remember(this.#all, key, hostname, MAX_ADDRESSES);
      if (own !== undefined) remember(own, key, hostname, MAX_ADDRESSES_OF_SCOPE);
    }
  }

  /**
   * The name that an address was looked up by last: in this scope, else by anybody, which is a guess. Undefined where there was none.
   *
   * @example
   * hostNames.nameOf(record, "10.0.0.7")?.hostname; // "db.example"
   */
  nameOf(record: ScopeRecord | undefined, address: string): KnownName | undefined {
    const key = keyOf(address);
    const own = record && this.#ofScope.get(record)?.get(key);
    if (own !== undefined) return { hostname: own, guessed: false };
    const hostname = this.#all.get(key);
    return hostname === undefined ? undefined : { hostname, guessed: true };
  }
}

function remember(names: Map<string, string>, key: string, hostname: string, max: number): void {
  // To the end of the order, also where it stands there already.
  names.delete(key);
  names.set(key, hostname);
  if (names.size <= max) return;
  for (const oldest of names.keys()) {
    names.delete(oldest);
    break;
  }
}

/** One text for all spellings of an address; IPv4-mapped IPv6 is IPv4. */
function keyOf(address: string): string {
  return isIPv4(address) ? address : (parseAddress(address)?.join(".") ?? address).replace(/^(0\.){10}255\.255\./, "");
}
