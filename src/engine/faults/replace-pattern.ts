/**
 * Finds a pattern in a stream, also where it begins in one chunk and ends in a later one, and puts another text in its place: from left
 * to right, without overlaps, as if the whole stream were one text.
 *
 * What may be the beginning of the pattern is held back; since it equals that beginning, nothing has to be stored. A match counts where
 * the packet that it begins in is to be mutated.
 */

/** Bytes from this offset of the stream on belong to `packet`; undefined: nothing that begins there is replaced. */
interface Range<Packet> {
  readonly from: number;
  readonly packet: Packet | undefined;
}

export interface ReplaceOptions<Packet> {
  readonly find: Uint8Array;
  readonly replacement: Uint8Array;
  /** At most so many bytes are held back: a longer pattern is not found. */
  readonly maxBufferBytes: number;
  readonly onMatch: (packet: Packet) => void;
}

export class PatternReplacer<Packet> {
  readonly #find: Uint8Array;
  readonly #replacement: Uint8Array;
  readonly #maxBufferBytes: number;
  readonly #onMatch: (packet: Packet) => void;
  /** For each length of a beginning: the longest shorter one that it ends with (Knuth, Morris and Pratt). */
  readonly #borders: Int32Array;
  #ranges: Range<Packet>[] = [];
  /** Offset of the next byte that comes in. */
  #offset = 0;
  /** Bytes held back: the pattern's first so many. */
  held = 0;

  constructor(options: ReplaceOptions<Packet>) {
    this.#find = options.find;
    this.#replacement = options.replacement;
    this.#maxBufferBytes = options.maxBufferBytes;
    this.#onMatch = options.onMatch;
    this.#borders = bordersOf(options.find);
  }

  /** Takes the next bytes in and appends to `out` what may go on. */
  push(bytes: Uint8Array, packet: Packet | undefined, out: Uint8Array[]): void {
    if (bytes.length === 0) return;
    const find = this.#find;
    const borders = this.#borders;
    const start = this.#offset;
    const heldBefore = this.held;
    let emitted = start - heldBefore;
    const emitTo = (end: number): void => {
      if (emitted < start) {
        const from = emitted - (start - heldBefore);
        const to = Math.min(end, start) - (start - heldBefore);
        if (to > from) out.push(find.subarray(from, to));
        emitted = Math.max(emitted, Math.min(end, start));
      }
      if (end > emitted) out.push(bytes.subarray(emitted - start, end - start));
      emitted = Math.max(emitted, end);
    };
    this.#ranges.push({ from: start, packet });
    let matched = heldBefore;
    for (let i = 0; i < bytes.length; i++) {
      if (matched === 0) {
        i = bytes.indexOf(find[0]!, i);
        if (i < 0) break;
      }
      while (matched > 0 && find[matched] !== bytes[i]) matched = borders[matched]!;
      if (find[matched] === bytes[i]) matched++;
      if (matched < find.length) {
        while (matched > this.#maxBufferBytes) matched = borders[matched]!;
        continue;
      }
      const begins = start + i + 1 - find.length;
      const owner = this.#packetAt(begins);
      if (owner === undefined) {
        matched = borders[matched]!;
        continue;
      }
      this.#onMatch(owner);
      emitTo(begins);
      if (this.#replacement.length > 0) out.push(this.#replacement);
      emitted = start + i + 1;
      matched = 0;
    }
    this.#offset = start + bytes.length;
    // What begins where nothing is replaced need not be waited for.
    while (matched > 0 && this.#packetAt(this.#offset - matched) === undefined) matched = borders[matched]!;
    emitTo(this.#offset - matched);
    this.held = matched;
    this.#forgetRanges();
  }

  /** Nothing follows for now: what is held back goes on as it is. */
  flush(out: Uint8Array[]): void {
    if (this.held > 0) out.push(this.#find.subarray(0, this.held));
    this.held = 0;
    this.#forgetRanges();
  }

  #packetAt(offset: number): Packet | undefined {
    for (let i = this.#ranges.length - 1; i >= 0; i--) if (this.#ranges[i]!.from <= offset) return this.#ranges[i]!.packet;
    return undefined;
  }

  #forgetRanges(): void {
    const first = this.#offset - this.held;
    let kept = this.#ranges.length;
    while (kept > 0 && this.#ranges[kept - 1]!.from > first) kept--;
    this.#ranges = this.held === 0 ? [] : this.#ranges.slice(Math.max(0, kept - 1));
  }
}

function bordersOf(text: Uint8Array): Int32Array {
  const borders = new Int32Array(text.length + 1);
  let border = 0;
  for (let i = 1; i < text.length; i++) {
    while (border > 0 && text[i] !== text[border]) border = borders[border]!;
    if (text[i] === text[border]) border++;
    borders[i + 1] = border;
  }
  return borders;
}
