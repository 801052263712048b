import { expect, test } from "vitest";
import { createWaiter, DeadlineClock } from "../../../src/internal/deadline-clock.ts";

test("packets of a backlog wait for each other, unless precision is to be fine", () => {
  expect(new DeadlineClock("normal").coalesceNs).toBe(250e3);
  expect(new DeadlineClock("fine").coalesceNs).toBe(0);
});

/** Timers that keep the process alive. */
const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === "Timeout").length;

test("only what somebody waits for keeps the process alive", () => {
  const clock = new DeadlineClock("normal");
  const [first, second] = [createWaiter(() => {}), createWaiter(() => {})];
  const before = timers();
  const soon = clock.nowNs() + 60e9;
  clock.schedule(first, soon);
  clock.schedule(second, soon + 1e9);
  clock.cancel(first);
  expect(timers()).toBe(before + 1);
  clock.cancel(second);
  expect(timers()).toBe(before);
  // The timer is still there, and serves again.
  clock.schedule(first, soon + 2e9);
  expect(timers()).toBe(before + 1);
  clock.schedule(first, Infinity);
  expect(timers()).toBe(before);
});
