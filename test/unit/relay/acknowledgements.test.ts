import { describe, expect, it } from "vitest";
import type { DeadlineClock } from "../../../src/internal/deadline-clock.ts";
import { Acknowledgements } from "../../../src/relay/acknowledgements.ts";
import { HandClock } from "./hand-clock.ts";

const MS = 1e6;

function expecting(): { acknowledgements: Acknowledgements; clock: HandClock; heardAt: number[] } {
  const clock = new HandClock();
  const heardAt: number[] = [];
  const acknowledgements = new Acknowledgements(clock as unknown as DeadlineClock, () => heardAt.push(clock.nowNs() / MS));
  return { acknowledgements, clock, heardAt };
}

describe("bytes that are not acknowledged yet", () => {
  it("are so until their acknowledgement has come back", () => {
    const { acknowledgements, clock } = expecting();
    acknowledgements.expect(1000, 10 * MS);
    acknowledgements.expect(500, 20 * MS);
    const seen = [0, 9.999, 10, 19.999, 20].map((ms) => {
      clock.moveTo(ms * MS);
      return acknowledgements.bytes();
    });
    expect(seen).toEqual([1500, 1500, 500, 500, 0]);
  });

  it("are acknowledged in order, also where the way back has become shorter", () => {
    const { acknowledgements, clock } = expecting();
    acknowledgements.expect(1000, 10 * MS);
    acknowledgements.expect(500, 5 * MS);
    clock.moveTo(9 * MS);
    expect(acknowledgements.bytes()).toBe(1500);
    clock.moveTo(10 * MS);
    expect(acknowledgements.bytes()).toBe(0);
  });

  it("call back when the next ones are, if somebody waits, and once for each wait", () => {
    const { acknowledgements, clock, heardAt } = expecting();
    acknowledgements.expect(1000, 10 * MS);
    acknowledgements.expect(1000, 12 * MS);
    clock.moveTo(5 * MS);
    acknowledgements.wait();
    acknowledgements.wait();
    clock.moveTo(20 * MS);
    expect(heardAt).toEqual([10]);
    expect(clock.waiting).toBe(0);
  });

  it("are none, and wake nobody, once they are forgotten", () => {
    const { acknowledgements, clock, heardAt } = expecting();
    acknowledgements.expect(1000, 10 * MS);
    acknowledgements.wait();
    acknowledgements.forget();
    expect([acknowledgements.bytes(), clock.waiting]).toEqual([0, 0]);
    clock.moveTo(20 * MS);
    acknowledgements.expect(10, 30 * MS);
    expect([acknowledgements.bytes(), heardAt]).toEqual([10, []]);
  });
});
