/**
 * What `payload_mutation` does to the bytes of one packet: pure functions, each of which returns the packet itself where there is nothing
 * to change, and never writes into it. Offsets beyond the packet change nothing.
 */

const INVALID_UTF8 = 0xff;

/** Numbers in [0, 1), the n-th of a packet. */
export type Uniform = (n: number) => number;

export function truncate(packet: Uint8Array, keptBytes: number): Uint8Array {
  return packet.length > keptBytes ? packet.subarray(0, keptBytes) : packet;
}

export function injectBytes(packet: Uint8Array, position: number, data: Uint8Array): Uint8Array {
  if (position > packet.length) return packet;
  return concat([packet.subarray(0, position), data, packet.subarray(position)]);
}

/** Changes `count` different bytes, or all of them where there are fewer; each to another value. */
export function corruptBytes(packet: Uint8Array, count: number, uniform: Uniform): Uint8Array {
  if (packet.length === 0 || count <= 0) return packet;
  const changed = copyOf(packet);
  const taken = new Set<number>();
  const first = Math.max(0, packet.length - count);
  // Floyd's sample: every set of `count` places is equally likely, with one draw for each place.
  for (let last = first; last < packet.length; last++) {
    const drawn = Math.floor(uniform(2 * taken.size) * (last + 1));
    const place = taken.has(drawn) ? last : drawn;
    changed[place]! ^= 1 + Math.floor(uniform(2 * taken.size + 1) * 255);
    taken.add(place);
  }
  return changed;
}

/** One byte becomes 0xFF, which no UTF-8 text contains. */
export function corruptEncoding(packet: Uint8Array, uniform: Uniform): Uint8Array {
  if (packet.length === 0) return packet;
  const changed = copyOf(packet);
  const place = Math.floor(uniform(0) * packet.length);
  changed[place] = packet[place] === INVALID_UTF8 ? INVALID_UTF8 - 1 : INVALID_UTF8;
  return changed;
}

export function swapBytes(packet: Uint8Array, first: number, second: number): Uint8Array {
  const one = packet[first];
  const other = packet[second];
  if (one === undefined || other === undefined || one === other) return packet;
  const changed = copyOf(packet);
  changed[first] = other;
  changed[second] = one;
  return changed;
}

/** Not `slice()`: Node's Buffer has one that shares its memory. */
function copyOf(packet: Uint8Array): Uint8Array {
  return new Uint8Array(packet);
}

/** One array of several, or of none. */
export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  if (pieces.length === 1) return pieces[0]!;
  let total = 0;
  for (const piece of pieces) total += piece.length;
  const whole = new Uint8Array(total);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
