/** Servers of HTTP cases: every answer is `hello`. */
import { createServer } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { localhost } from "../../helpers/certificates.mjs";
import { listen } from "../../helpers/peers.ts";
import type { Peer } from "../../helpers/peers.ts";

export interface Started {
  readonly port: number;
  stop(): Promise<void>;
}

export const started = (peer: Peer): Started => ({ port: peer.port, stop: async () => peer[Symbol.asyncDispose]() });

export async function startHttp(): Promise<Started> {
  return started(await listen(createServer((_request, response) => response.end("hello"))));
}

export async function startHttps(): Promise<Started> {
  return started(await listen(createTlsServer(localhost, (_request, response) => response.end("hello"))));
}
