/** A heap of packets by the time at which they arrive; those of one instant in the order in which they were sent. */

export interface Timed {
  readonly arrivesNs: number;
  readonly sequence: number;
}

export class ReleaseHeap<T extends Timed> {
  readonly #heap: T[] = [];

  get length(): number {
    return this.#heap.length;
  }

  /** When the first one arrives; Infinity if there is none. */
  get headNs(): number {
    return this.#heap[0]?.arrivesNs ?? Infinity;
  }

  add(packet: T): void {
    const heap = this.#heap;
    let index = heap.push(packet) - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!before(packet, heap[parent]!)) break;
      heap[index] = heap[parent]!;
      index = parent;
    }
    heap[index] = packet;
  }

  /** Removes the first one; to be called only where there is one. */
  take(): T {
    const heap = this.#heap;
    const first = heap[0]!;
    const last = heap.pop()!;
    if (heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
      if (!before(heap[child]!, last)) break;
      heap[index] = heap[child]!;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

function before(a: Timed, b: Timed): boolean {
  return a.arrivesNs < b.arrivesNs || (a.arrivesNs === b.arrivesNs && a.sequence < b.sequence);
}
