/** TCP, as this version of Node lets the relay have it. */
import type { Landing } from "./landing.ts";
import { NativeNetwork } from "./native-network.ts";
import { findNativeTcp } from "./native-tcp.ts";
import { NodeNetwork } from "./node-network.ts";
import type { Network } from "./socket.ts";

export function openNetwork(landing: Landing): Network {
  const tcp = findNativeTcp();
  return tcp === undefined ? new NodeNetwork() : new NativeNetwork(tcp, landing);
}
