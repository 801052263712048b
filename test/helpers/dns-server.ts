/** A DNS server on loopback, for resolvers: names with A and AAAA records, NXDOMAIN for all others; or one that never answers. */
import { createSocket } from "node:dgram";
import type { Socket } from "node:dgram";
import { once } from "node:events";
import { isIPv4 } from "node:net";

const A = 1;
const AAAA = 28;
const ANY = 255;
const NXDOMAIN = 3;

export interface DnsServer extends AsyncDisposable {
  /** For `resolver.setServers`. */
  readonly address: string;
  /** Names that were asked for, in order. */
  readonly asked: readonly string[];
}

export async function dnsServer(zone: Readonly<Record<string, readonly string[]>> | "silent"): Promise<DnsServer> {
  const socket = createSocket("udp4");
  const asked: string[] = [];
  socket.on("message", (query, { port, address }) => {
    const { name, type, end } = question(query);
    asked.push(name);
    if (zone !== "silent") socket.send(answer(query, type, end, zone[name]), port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  return { address: `127.0.0.1:${socket.address().port}`, asked, [Symbol.asyncDispose]: () => close(socket) };
}

async function close(socket: Socket): Promise<void> {
  const closed = once(socket, "close");
  socket.close();
  await closed;
}

function question(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = [];
  let at = 12;
  for (let length = query[at++]!; length > 0; length = query[at++]!) {
    labels.push(query.toString("latin1", at, at + length));
    at += length;
  }
  return { name: labels.join(".").toLowerCase(), type: query.readUInt16BE(at), end: at + 4 };
}

function answer(query: Buffer, type: number, end: number, addresses: readonly string[] | undefined): Buffer {
  const records = (addresses ?? []).flatMap((address): Buffer[] => {
    const family = isIPv4(address) ? A : AAAA;
    if (type !== family && type !== ANY) return [];
    const data = family === A ? Buffer.from(address.split(".").map(Number)) : loopback6(address);
    // The name of the question, IN, a minute.
    return [Buffer.from([0xc0, 12, 0, family, 0, 1, 0, 0, 0, 60, 0, data.length]), data];
  });
  const header = Buffer.alloc(12);
  query.copy(header, 0, 0, 2);
  header.writeUInt16BE(0x8180 | (addresses === undefined ? NXDOMAIN : 0), 2);
  header.writeUInt16BE(1, 4);
  header.writeUInt16BE(records.length / 2, 6);
  return Buffer.concat([header, query.subarray(12, end), ...records]);
}

function loopback6(address: string): Buffer {
  if (address !== "::1") throw new Error(`no other IPv6 address is needed: ${address}`);
  const data = Buffer.alloc(16);
  data[15] = 1;
  return data;
}
