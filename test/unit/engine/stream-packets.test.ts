/** `packet_duplicate` and `packet_reorder` on a TCP stream. */
import { describe, expect, test } from "vitest";
import { drain, MS, MSS, runTo, S, sum, traced } from "./helpers.ts";

describe("packet_duplicate on a stream", () => {
  const duplicate = { ppm: 1_000_000, maxExtra: 1 };

  test("costs what the copies take of the link, right behind the packet", () => {
    // 1 ms per packet.
    const { engine, log } = traced({ rateBps: 11.68e6, duplicate });
    engine.push(3 * MSS, 0);
    expect(drain(engine).map((release) => release.atNs)).toEqual([MS, 3 * MS, 5 * MS]);
    expect(log.filter((d) => d.fault === "packet_duplicate").map((d) => d.decision)).toEqual(["extra x1", "extra x1", "extra x1"]);
  });

  test("costs the same on a lossy stream", () => {
    const { engine } = traced({ rateBps: 11.68e6, duplicate, lossPpm: 1 });
    engine.push(3 * MSS, 0);
    expect(drain(engine).map((release) => release.atNs)).toEqual([MS, 3 * MS, 5 * MS]);
  });

  test("costs nothing where there is no rate", () => {
    const { engine } = traced({ latencyNs: MS, duplicate });
    engine.push(3 * MSS, 0);
    expect(drain(engine)).toEqual([{ atNs: MS, bytes: 3 * MSS }]);
  });
});

describe("packet_reorder on a stream", () => {
  const reorder = { ppm: 1_000_000, maxDelayNs: 50 * MS, window: 1, stream: "wait" as const };

  test("holds back a packet, and what is behind it, until another one has arrived", () => {
    const { engine, log } = traced({ rateBps: 11.68e6, reorder });
    engine.push(4 * MSS, 0);
    // At 100 % the packets 0 and 2 are held back, until 1 and 3 are there.
    expect(drain(engine)).toEqual([
      { atNs: 2 * MS, bytes: 2 * MSS },
      { atNs: 4 * MS, bytes: 2 * MSS },
    ]);
    expect(log.filter((d) => d.fault === "packet_reorder").map((d) => d.cell)).toEqual([0, 2]);
  });

  test("holds it back no longer than max_delay when nothing follows", () => {
    const { engine } = traced({ latencyNs: 10 * MS, reorder });
    engine.push(100, 0);
    engine.push(100, 5 * MS);
    expect(drain(engine)).toEqual([{ atNs: 60 * MS, bytes: 200 }]);
  });

  test("lets everything go at the end of the stream, and the end behind it", () => {
    const { engine } = traced({ latencyNs: 10 * MS, reorder });
    engine.push(100, 0);
    engine.end(3 * MS);
    expect(runTo(engine, 13 * MS)).toEqual([{ atNs: 13 * MS, bytes: 100 }]);
    expect(engine.ended()).toBe(true);
  });

  test("loses nothing and holds nothing for ever, whatever the window, also on a lossy stream", () => {
    for (const lossPpm of [0, 50_000]) {
      for (const window of [1, 3, 200]) {
        const { engine } = traced({ latencyNs: 10 * MS, lossPpm, reorder: { ...reorder, ppm: 300_000, window } });
        for (let n = 0; n < 20; n++) engine.push(7 * MSS, n * 10 * MS);
        expect(sum(runTo(engine, 60 * S))).toBe(140 * MSS);
        expect(engine.nextAtNs()).toBe(Infinity);
        expect(engine.heldBytes()).toBe(0);
      }
    }
  });
});
