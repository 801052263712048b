/** FNV-1a with 64 bits over UTF-8: small, stable across versions and platforms. Not for secrets. */

const OFFSET_BASIS = 0xcbf29ce484222325n;
const PRIME = 0x100000001b3n;

/**
 * The 64-bit FNV-1a hash of a text's UTF-8 bytes (offset basis and prime as published by Fowler, Noll and Vo).
 *
 * @example
 * fnv1a64("a"); // 0xaf63dc4c8601ec8cn
 */
export function fnv1a64(text: string): bigint {
  let hash = OFFSET_BASIS;
  for (const byte of new TextEncoder().encode(text)) {
    hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * PRIME);
  }
  return hash;
}
