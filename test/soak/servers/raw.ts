import dgram from "node:dgram";
import { once } from "node:events";
import { dnsServer } from "../../helpers/dns-server.ts";
import { serve } from "../../helpers/peers.ts";

interface Place {
  readonly port: number;
}

/** Half-open: what ends with a FIN is answered as a whole. */
export function startEcho(): Promise<Place> {
  return serve((socket) => socket.setNoDelay(true).pipe(socket), { allowHalfOpen: true });
}

export async function startUdpEcho(): Promise<Place> {
  const socket = dgram.createSocket("udp4");
  socket.on("message", (bytes, from) => socket.send(bytes, from.port, from.address));
  socket.on("error", () => {});
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return { port: socket.address().port };
}

export async function startDns(): Promise<Place> {
  const { address } = await dnsServer({ "soak.test": ["127.0.0.1", "::1"] });
  return { port: Number(address.split(":")[1]) };
}
