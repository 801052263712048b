import { expect, test } from "vitest";
import { RecvTimeout } from "../../../src/engine/faults/timeout.ts";
import { MS } from "./helpers.ts";

test("recv is armed by the first bytes written, and further ones do not push it away", () => {
  const timeout = new RecvTimeout(20 * MS);
  expect(timeout.expiresAtNs()).toBe(Infinity);
  timeout.written(5 * MS);
  timeout.written(15 * MS);
  expect(timeout.expiresAtNs()).toBe(25 * MS);
});

test("recv is disarmed by delivered bytes and armed again by the next request", () => {
  const timeout = new RecvTimeout(20 * MS);
  timeout.written(0);
  timeout.delivered();
  expect(timeout.expiresAtNs()).toBe(Infinity);
  timeout.written(100 * MS);
  expect(timeout.expiresAtNs()).toBe(120 * MS);
});
