import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Position } from "../../../src/engine/draw.ts";
import { PacketTimes } from "../../../src/engine/packet-times.ts";
import { FAULT_IDS } from "../../../src/engine/registry.ts";
import { UPLINK } from "../../../src/engine/types.ts";

interface Sums {
  count: number;
  totalNs: number;
  maxNs: number;
}

class Sink {
  readonly sums = new Map<number, Sums>();
  readonly lates: number[] = [];

  kept(fault: number, count: number, totalNs: number, maxNs: number): void {
    const sums = this.sums.get(fault) ?? { count: 0, totalNs: 0, maxNs: 0 };
    this.sums.set(fault, { count: sums.count + count, totalNs: sums.totalNs + totalNs, maxNs: Math.max(sums.maxNs, maxNs) });
  }

  late(lateNs: number): void {
    this.lates.push(lateNs);
  }
}

const at = (cell: number, split = 0): Position => ({ direction: UPLINK, exchange: 0, cell, split });

describe("the times of packets", () => {
  it("are those from the arrival of a packet to the departure of its first byte, for each of its faults", () => {
    const sink = new Sink();
    const times = new PacketTimes(sink);
    times.begin(at(0), 100);
    times.take(10);
    times.mark(at(0), "latency");
    times.mark(at(0), "jitter");
    times.begin(at(1), 150);
    times.take(10);
    times.mark(at(1), "latency");
    times.leave(1, 300, 5);
    expect(sink.sums.get(FAULT_IDS.jitter)).toEqual({ count: 1, totalNs: 200, maxNs: 200 });
    times.leave(19, 400, undefined);
    expect(sink.sums.get(FAULT_IDS.latency)).toEqual({ count: 2, totalNs: 450, maxNs: 250 });
    expect(sink.lates).toEqual([5]);
    expect(times.entries).toBe(0);
  });

  it("of packets that have left are marked no more, nor those that never were", () => {
    const sink = new Sink();
    const times = new PacketTimes(sink);
    times.mark(at(0), "packet_loss");
    times.begin(at(3), 0);
    times.take(5);
    for (const cell of [2, 4]) times.mark(at(cell), "packet_loss");
    times.leave(5, 10, undefined);
    times.mark(at(3), "packet_loss");
    expect(sink.sums.size).toBe(0);
  });

  it("go to the right packets, however many are held and however they leave", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 3000 }), fc.boolean(), fc.nat(9)), { maxLength: 200 }), (steps) => {
        const sink = new Sink();
        const times = new PacketTimes(sink);
        const held: { readonly start: number; readonly arrived: number; marked: boolean }[] = [];
        const wanted: Sums = { count: 0, totalNs: 0, maxNs: 0 };
        let [taken, left, now] = [0, 0, 0];
        for (const [cell, [bytes, leaves, which]] of steps.entries()) {
          now += 7;
          times.begin(at(cell), now);
          times.take(bytes);
          held.push({ start: taken, arrived: now, marked: false });
          taken += bytes;
          // Late, for whichever packet is still here.
          const first = cell + 1 - held.length;
          const chosen = which % held.length;
          times.mark(at(first + chosen), "rate");
          held[chosen]!.marked = true;
          if (!leaves) continue;
          const out = Math.min(taken - left, bytes * which);
          if (out === 0) continue;
          left += out;
          times.leave(out, now, undefined);
          while (held.length > 0 && held[0]!.start < left) {
            const { arrived, marked } = held.shift()!;
            if (!marked) continue;
            wanted.count++;
            wanted.totalNs += now - arrived;
            wanted.maxNs = Math.max(wanted.maxNs, now - arrived);
          }
          expect(times.entries).toBe(held.length);
        }
        expect(sink.sums.get(FAULT_IDS.rate) ?? { count: 0, totalNs: 0, maxNs: 0 }).toEqual(wanted);
      }),
    );
  });
});
