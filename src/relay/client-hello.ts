/**
 * The server name in the hello of a TLS client (RFC 8446 §4.1.2, RFC 6066 §3), from bytes that come in any pieces.
 *
 * Owns: the bytes of one hello until it is whole, 64 KiB at most. Never: anything else of TLS; it checks only what it needs to find the
 * name. Invariants: whatever the bytes are, it does not throw, ends, and gives the same answer however they are cut; what does not begin
 * like a hello is given up at its first bytes. With Encrypted Client Hello, the name is the outer one, which is all that a network sees.
 */

const RECORD_HEADER_BYTES = 5;
/** A plaintext record holds 2^14 bytes at most (RFC 8446 §5.1). */
const MAX_RECORD_BYTES = 16_384;
const HANDSHAKE_RECORD = 22;
const MAJOR_VERSION = 3;

const MESSAGE_HEADER_BYTES = 4;
const CLIENT_HELLO = 1;
const MAX_HELLO_BYTES = 65_536;
const USUAL_HELLO_BYTES = 512;

const VERSION_AND_RANDOM_BYTES = 34;
const SERVER_NAME_EXTENSION = 0;
const HOST_NAME = 0;

const NOTHING = new Uint8Array();

export class ClientHello {
  /** The name that the hello asks for; undefined: none, or not known yet. */
  serverName: string | undefined;
  /** Nothing more will be found: the hello is whole, or it is none. */
  done = false;
  readonly #recordHeader: number[] = [];
  /** Bytes that the record still has. */
  #recordLeft = 0;
  /** Header and body of the handshake message. */
  #message: Uint8Array = NOTHING;
  #messageBytes = 0;

  /** Takes the next bytes of the stream. */
  push(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length && !this.done;) {
      if (this.#recordLeft === 0) {
        this.#takeHeaderByte(bytes[at++] as number);
        continue;
      }
      const piece = bytes.subarray(at, at + this.#recordLeft);
      at += piece.length;
      this.#recordLeft -= piece.length;
      this.#takeMessage(piece);
    }
  }

  #takeHeaderByte(byte: number): void {
    const header = this.#recordHeader;
    header.push(byte);
    if ((header.length === 1 && byte !== HANDSHAKE_RECORD) || (header.length === 2 && byte !== MAJOR_VERSION)) this.done = true;
    if (header.length < RECORD_HEADER_BYTES) return;
    this.#recordLeft = ((header[3] as number) << 8) | (header[4] as number);
    header.length = 0;
    // No handshake record is empty.
    if (this.#recordLeft === 0 || this.#recordLeft > MAX_RECORD_BYTES) this.done = true;
  }

  #takeMessage(piece: Uint8Array): void {
    const before = this.#messageBytes;
    this.#reserve(before + piece.length);
    this.#message.set(piece, before);
    this.#messageBytes += piece.length;
    const message = this.#message;
    if (before === 0 && message[0] !== CLIENT_HELLO) this.done = true;
    if (this.#messageBytes < MESSAGE_HEADER_BYTES || this.done) return;
    const length = MESSAGE_HEADER_BYTES + uint(message, 1, 3);
    if (length > MAX_HELLO_BYTES) this.done = true;
    if (this.#messageBytes < length || this.done) return;
    this.done = true;
    this.serverName = nameIn(new Reader(message.subarray(MESSAGE_HEADER_BYTES, length)));
    this.#message = NOTHING;
  }

  #reserve(bytes: number): void {
    if (bytes <= this.#message.length) return;
    const larger = new Uint8Array(Math.max(bytes, 2 * this.#message.length, USUAL_HELLO_BYTES));
    larger.set(this.#message.subarray(0, this.#messageBytes));
    this.#message = larger;
  }
}

function nameIn(hello: Reader): string | undefined {
  hello.skip(VERSION_AND_RANDOM_BYTES);
  hello.vector(1); // session id
  hello.vector(2); // cipher suites
  hello.vector(1); // compression methods
  const extensions = hello.vector(2);
  while (extensions.left > 0) {
    const type = extensions.uint(2);
    const body = extensions.vector(2);
    if (type !== SERVER_NAME_EXTENSION) continue;
    const names = body.vector(2);
    while (names.left > 0) {
      const kind = names.uint(1);
      const name = names.vector(2);
      if (kind === HOST_NAME) return name.text();
    }
    return undefined;
  }
  return undefined;
}

/** Reads numbers and vectors; what is cut short reads as zeros and empty vectors, and leaves nothing. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  skip(bytes: number): void {
    this.#at = Math.min(this.#at + bytes, this.#bytes.length);
  }

  uint(bytes: number): number {
    if (this.left < bytes) {
      this.skip(bytes);
      return 0;
    }
    const value = uint(this.#bytes, this.#at, bytes);
    this.#at += bytes;
    return value;
  }

  /** A vector with a length of so many bytes before it. */
  vector(lengthBytes: number): Reader {
    const length = this.uint(lengthBytes);
    if (length > this.left) {
      this.skip(length);
      return new Reader(new Uint8Array());
    }
    const start = this.#at;
    this.#at += length;
    return new Reader(this.#bytes.subarray(start, this.#at));
  }

  /** Undefined where it is empty, or no text that a host name could be. */
  text(): string | undefined {
    if (this.#bytes.length === 0 || this.#bytes.some((byte) => byte <= 0x20 || byte >= 0x7f)) return undefined;
    return String.fromCharCode(...this.#bytes.subarray(0, 255));
  }
}

function uint(bytes: Uint8Array, at: number, count: number): number {
  let value = 0;
  for (let n = 0; n < count; n++) value = value * 256 + (bytes[at + n] as number);
  return value;
}
