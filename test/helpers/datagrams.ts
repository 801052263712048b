/** UDP sockets of tests: closed after each test. */
import dgram from "node:dgram";
import { once } from "node:events";
import { faultScope, reset } from "faultcore";
import type { FaultScope, PolicyFields } from "faultcore";
import { nowMs } from "./measure.ts";

const open = new Set<dgram.Socket>();
export function closeSockets(): void {
  reset();
  for (const left of open) left.close();
  open.clear();
}

export function socket(type: dgram.SocketType = "udp4"): dgram.Socket {
  const made = dgram.createSocket(type);
  open.add(made);
  made.once("close", () => open.delete(made));
  return made;
}

export interface Server {
  readonly socket: dgram.Socket;
  readonly port: number;
  readonly heard: { text: string; atMs: number; from: dgram.RemoteInfo }[];
}

export async function server(type: dgram.SocketType = "udp4", reply?: (text: string) => string | undefined): Promise<Server> {
  const made = socket(type);
  const heard: Server["heard"] = [];
  made.on("message", (bytes, from) => {
    heard.push({ text: String(bytes), atMs: nowMs(), from });
    const answer = reply?.(String(bytes));
    if (answer !== undefined) made.send(answer, from.port, from.address);
  });
  made.bind(0, type === "udp4" ? "127.0.0.1" : "::1");
  await once(made, "listening");
  return { socket: made, port: made.address().port, heard };
}

export const echo = (text: string): string => `re ${text}`;

export function send(from: dgram.Socket, text: string | Uint8Array, port: number, host = "127.0.0.1"): Promise<number> {
  return new Promise((resolve, reject) => from.send(text, port, host, (error, bytes) => (error ? reject(error) : resolve(bytes))));
}

export const scopeOf = (policy: PolicyFields): FaultScope => faultScope({ seed: 7, ...policy });
