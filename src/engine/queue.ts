/** A first-in first-out queue of (release time, bytes). Ring buffers of numbers: nothing is allocated per packet. */

/** Most flows hold few packets at a time; rings this small live in the heap. */
const INITIAL_CAPACITY = 8;
/** A ring that grew beyond this is given back once it is empty. */
const KEPT_CAPACITY = 512;

export class ReleaseQueue {
  #times = new Float64Array(INITIAL_CAPACITY);
  #bytes = new Float64Array(INITIAL_CAPACITY);
  #head = 0;
  #length = 0;

  /** Number of entries; never more than the bytes that are held. */
  get length(): number {
    return this.#length;
  }

  /** Time of the first entry; Infinity if there is none. */
  get headNs(): number {
    return this.#length === 0 ? Infinity : this.#times[this.#head]!;
  }

  /** Appends; times must not decrease. Bytes that share a release time with the last entry join it. */
  add(releaseNs: number, bytes: number): void {
    if (this.#length > 0) {
      const last = (this.#head + this.#length - 1) & (this.#times.length - 1);
      if (this.#times[last] === releaseNs) {
        this.#bytes[last]! += bytes;
        return;
      }
    }
    if (this.#length === this.#times.length) this.#resize(this.#length * 2);
    const slot = (this.#head + this.#length) & (this.#times.length - 1);
    this.#times[slot] = releaseNs;
    this.#bytes[slot] = bytes;
    this.#length++;
  }

  /** Removes what is due and returns its bytes. */
  takeDue(nowNs: number): number {
    let due = 0;
    while (this.#length > 0 && this.#times[this.#head]! <= nowNs) {
      due += this.#bytes[this.#head]!;
      this.#head = (this.#head + 1) & (this.#times.length - 1);
      this.#length--;
    }
    if (this.#length === 0 && this.#times.length > KEPT_CAPACITY) this.#resize(INITIAL_CAPACITY);
    return due;
  }

  /** `capacity` is a power of two, so that wrapping is a mask. */
  #resize(capacity: number): void {
    const times = new Float64Array(capacity);
    const bytes = new Float64Array(capacity);
    for (let i = 0; i < this.#length; i++) {
      const slot = (this.#head + i) & (this.#times.length - 1);
      times[i] = this.#times[slot]!;
      bytes[i] = this.#bytes[slot]!;
    }
    this.#times = times;
    this.#bytes = bytes;
    this.#head = 0;
  }
}
