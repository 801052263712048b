/**
 * IP addresses and networks as 16 bytes: IPv4 is IPv4-mapped IPv6, so that the two spellings of one address are equal.
 *
 * Zone identifiers (`fe80::1%eth0`) are ignored. What is an address is for `node:net` to say.
 */
import { isIPv4, isIPv6 } from "node:net";

export interface Network {
  readonly bytes: readonly number[];
  /** Leading bits that count, of 128. */
  readonly prefix: number;
}

/** An IPv4 network has these 96 bits before its own. */
const MAPPED_PREFIX: readonly number[] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
const MAPPED_BITS = 96;

/**
 * The 16 bytes of an address, or undefined where the text is none.
 *
 * @example
 * parseAddress("10.0.0.1"); // the bytes of ::ffff:10.0.0.1
 */
export function parseAddress(text: string): readonly number[] | undefined {
  if (isIPv4(text)) return [...MAPPED_PREFIX, ...text.split(".").map(Number)];
  if (!isIPv6(text)) return undefined;
  const [address = ""] = text.split("%", 1);
  const [head = "", tail] = address.split("::", 2);
  const front = groupBytes(head);
  if (tail === undefined) return front;
  const back = groupBytes(tail);
  return [...front, ...Array.from({ length: 16 - front.length - back.length }, () => 0), ...back];
}

/** The bytes of `a:b:c`, of which the last group may be dotted IPv4. */
function groupBytes(text: string): number[] {
  if (text === "") return [];
  return text.split(":").flatMap((part) => {
    if (part.includes(".")) return part.split(".").map(Number);
    const value = Number.parseInt(part, 16);
    return [value >> 8, value & 0xff];
  });
}

/**
 * A network from `address/prefix`; host bits are cleared. Undefined where the text is none.
 *
 * @example
 * parseNetwork("10.1.2.3/8"); // 10.0.0.0/8: prefix 104 of 128
 */
export function parseNetwork(text: string): Network | undefined {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  if (match === null) return undefined;
  const [, address = "", length = ""] = match;
  const bytes = parseAddress(address);
  const prefix = Number(length) + (isIPv4(address) ? MAPPED_BITS : 0);
  if (bytes === undefined || prefix > 128) return undefined;
  return { bytes: bytes.map((byte, index) => byte & byteMask(prefix, index)), prefix };
}

/** The network that holds one address only. */
export function hostNetwork(text: string): Network | undefined {
  const bytes = parseAddress(text);
  return bytes === undefined ? undefined : { bytes, prefix: 128 };
}

/**
 * Whether the network holds the address. An IPv6 network that is wider than the IPv4-mapped range (`::/0`) holds IPv6 addresses only:
 * who writes it does not think of IPv4.
 */
export function networkHolds(network: Network, address: readonly number[]): boolean {
  if (network.prefix < MAPPED_BITS && MAPPED_PREFIX.every((byte, index) => address[index] === byte)) return false;
  return network.bytes.every((byte, index) => (address[index]! & byteMask(network.prefix, index)) === byte);
}

/** The bits of byte number `index` that a prefix covers. */
function byteMask(prefix: number, index: number): number {
  const covered = Math.max(0, Math.min(8, prefix - 8 * index));
  return (0xff << (8 - covered)) & 0xff;
}
