import { expect, it } from "vitest";
import { corruptBytes, corruptEncoding, injectBytes, swapBytes, truncate } from "../../../src/engine/faults/mutate-bytes.ts";

const half = (): number => 0.5;

it.each([
  ["truncate", (packet: Uint8Array) => truncate(packet, 3)],
  ["corrupt_bytes", (packet: Uint8Array) => corruptBytes(packet, 2, half)],
  ["corrupt_encoding", (packet: Uint8Array) => corruptEncoding(packet, half)],
  ["inject_bytes", (packet: Uint8Array) => injectBytes(packet, 2, new Uint8Array([1]))],
  ["swap_bytes", (packet: Uint8Array) => swapBytes(packet, 0, 3)],
])("%s never writes into the packet that it gets, also where that is a Buffer of Node, whose slice() shares memory", (_type, change) => {
  const packet = Buffer.from("abcdef");
  expect(Buffer.from(change(packet)).equals(packet)).toBe(false);
  expect(packet.toString()).toBe("abcdef");
});
