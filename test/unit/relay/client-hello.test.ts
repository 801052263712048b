import { once } from "node:events";
import net from "node:net";
import tls from "node:tls";
import * as fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { ClientHello } from "../../../src/relay/client-hello.ts";

/** What Node itself sends. */
async function capture(options: tls.ConnectionOptions): Promise<Buffer> {
  const server = net.createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = tls.connect({ port: (server.address() as net.AddressInfo).port, host: "127.0.0.1", ...options });
  client.on("error", () => {});
  const [socket] = (await once(server, "connection")) as [net.Socket];
  const [first] = (await once(socket, "data")) as [Buffer];
  socket.destroy();
  client.destroy();
  server.close();
  return first;
}

interface Answer {
  readonly name: string | undefined;
  readonly done: boolean;
}

function read(...pieces: Uint8Array[]): Answer {
  const hello = new ClientHello();
  for (const piece of pieces) hello.push(piece);
  return { name: hello.serverName, done: hello.done };
}

/** Cuts at these places. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const at = [...new Set(places.map((place) => place % (bytes.length + 1)))].toSorted((a, b) => a - b);
  return [...at, bytes.length].map((end, index) => bytes.subarray(at[index - 1] ?? 0, end));
}

const u16 = (value: number): number[] => [value >> 8, value & 255];
const vector16 = (bytes: readonly number[]): number[] => [...u16(bytes.length), ...bytes];
const extension = (type: number, body: readonly number[]): number[] => [...u16(type), ...vector16(body)];
const nameEntry = (name: string, kind = 0): number[] => [kind, ...vector16([...Buffer.from(name, "latin1")])];
const serverNames = (...entries: number[][]): number[] => extension(0, vector16(entries.flat()));
const GREASE = extension(0x5a5a, []);

function message(extensions: readonly number[] | undefined, ciphers: readonly number[] = [0x13, 0x01]): Buffer {
  const body = [
    ...[3, 3],
    ...Buffer.alloc(32, 7),
    ...[32, ...Buffer.alloc(32, 9)],
    ...vector16(ciphers),
    ...[1, 0],
    ...(extensions === undefined ? [] : vector16(extensions)),
  ];
  return Buffer.from([1, body.length >> 16, ...u16(body.length & 0xffff), ...body]);
}

/** In records of at most so many bytes. */
function records(handshake: Buffer, most = 16_384): Buffer {
  const pieces: Buffer[] = [];
  for (let at = 0; at < handshake.length; at += most) {
    const piece = handshake.subarray(at, at + most);
    pieces.push(Buffer.from([22, 3, 1, ...u16(piece.length)]), piece);
  }
  return Buffer.concat(pieces);
}

describe("the hello that Node sends", () => {
  let named: Buffer;
  let long: Buffer;
  let nameless: Buffer;
  const longName = `${"label.".repeat(40)}example.test`;
  beforeAll(async () => {
    named = await capture({ servername: "api.example.test" });
    long = await capture({ servername: longName, maxVersion: "TLSv1.2", ALPNProtocols: ["h2", "http/1.1"] });
    nameless = await capture({});
  });

  it("has the server name where there is one", () => {
    expect(read(named)).toEqual({ name: "api.example.test", done: true });
    expect(read(long)).toEqual({ name: longName, done: true });
  });

  it("has none where Node was told none, even with a host name", async () => {
    expect(read(nameless)).toEqual({ name: undefined, done: true });
    const lookup: net.LookupFunction = (_name, options, done) => {
      if (options.all === true) done(null, [{ address: "127.0.0.1", family: 4 }]);
      else done(null, "127.0.0.1", 4);
    };
    expect(read(await capture({ host: "host.example.test", lookup }))).toEqual({ name: undefined, done: true });
  });

  it("gives the same answer however it is cut", () => {
    fc.assert(
      fc.property(fc.constantFrom("named", "long", "nameless"), fc.array(fc.nat(4096), { maxLength: 40 }), (which, places) => {
        const hello = { named, long, nameless }[which];
        expect(read(...cut(hello, places))).toEqual(read(hello));
      }),
    );
    expect(read(...[...named].map((byte) => Uint8Array.of(byte)))).toEqual(read(named));
  });

  it("is not known before its last byte", () => {
    for (const end of [1, 5, 6, 60, named.length - 1]) expect(read(named.subarray(0, end))).toEqual({ name: undefined, done: false });
  });
});

describe("a hello in many records", () => {
  it.each([1, 2, 3, 7, 100])("of %i bytes each is read as one", (most) => {
    const handshake = message([...GREASE, ...extension(16, [0, 3, 2, 104, 50]), ...serverNames(nameEntry("a.example")), ...GREASE]);
    expect(read(records(handshake, most))).toEqual({ name: "a.example", done: true });
    const bytes = records(handshake, most);
    expect(read(...cut(bytes, [3, 6, 11, 50, 51]))).toEqual({ name: "a.example", done: true });
  });

  it("is read up to 64 KiB and given up beyond", () => {
    const padding = (bytes: number): number[] => extension(21, Array.from<number>({ length: bytes }).fill(0));
    const name = serverNames(nameEntry("big.example"));
    expect(read(records(message([...padding(64_000), ...name])))).toEqual({ name: "big.example", done: true });
    const tooLong = records(message([...padding(30_000), ...padding(35_000), ...name], Array.from<number>({ length: 2000 }).fill(1)));
    expect(read(tooLong)).toEqual({ name: undefined, done: true });
    // Given up as soon as its length is known.
    expect(read(tooLong.subarray(0, 9))).toEqual({ name: undefined, done: true });
  });
});

describe("an odd hello", () => {
  it("has the first host name, and no name of another kind", () => {
    expect(read(records(message(serverNames(nameEntry("x", 7), nameEntry("a.example"), nameEntry("b.example"))))).name).toBe("a.example");
    expect(read(records(message(serverNames(nameEntry("x", 7))))).name).toBeUndefined();
  });

  it("has no name where it is empty, no text, or where there are no extensions", () => {
    for (const name of ["", "a b", "a\u0000b", "\u00e4.example"])
      expect(read(records(message(serverNames(nameEntry(name)))))).toEqual({ name: undefined, done: true });
    expect(read(records(message([])))).toEqual({ name: undefined, done: true });
    expect(read(records(message(undefined)))).toEqual({ name: undefined, done: true });
  });

  it("ends with what follows it, as early data, unread", () => {
    const bytes = Buffer.concat([records(message(serverNames(nameEntry("a.example")))), Buffer.from([23, 3, 3, 0, 9, 1, 2, 3])]);
    expect(read(bytes)).toEqual({ name: "a.example", done: true });
  });
});

describe("what is no hello", () => {
  it.each([
    ["text", Buffer.from("GET / HTTP/1.1\r\n"), 1],
    ["an SSL 2 hello", Buffer.from([0x80, 0x2e, 1, 3, 1]), 1],
    ["application data", Buffer.from([23, 3, 3, 0, 5]), 1],
    ["another version", Buffer.from([22, 2, 0]), 2],
    ["an empty record", Buffer.from([22, 3, 1, 0, 0]), 5],
    ["a record that is too long", Buffer.from([22, 3, 1, 0x40, 1]), 5],
    ["the hello of a server", Buffer.from([22, 3, 3, 0, 9, 2]), 6],
  ])("%s is given up at once", (_what, bytes, after) => {
    expect(read(bytes.subarray(0, after)).done).toBe(true);
    expect(read(bytes.subarray(0, after - 1)).done).toBe(false);
    expect(read(bytes).name).toBeUndefined();
  });

  it("never throws, and gives the same answer however it is cut", () => {
    const good = [...records(message([...GREASE, ...serverNames(nameEntry("a.example"))]))];
    const spoiled = fc
      .array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 6 })
      .map((changes) => Buffer.from(good.map((byte, at) => changes.find(([place]) => place === at)?.[1] ?? byte)));
    const noise = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from([22, 3, 1, ...bytes]));
    fc.assert(
      fc.property(fc.oneof(spoiled, noise), fc.array(fc.nat(400), { maxLength: 20 }), (bytes, places) => {
        expect(read(...cut(bytes, places))).toEqual(read(bytes));
      }),
      { numRuns: 2000 },
    );
  });
});
