import { expect, it } from "vitest";
import { RoundTrips } from "../../../src/relay/round-trips.ts";

it("keeps the least round trip of each peer", () => {
  const roundTrips = new RoundTrips();
  expect(roundTrips.note("127.0.0.1", 80, 500)).toBe(500);
  expect(roundTrips.note("127.0.0.1", 80, 900)).toBe(500);
  expect(roundTrips.note("127.0.0.1", 80, 200)).toBe(200);
  expect(roundTrips.note("127.0.0.1", 81, 900)).toBe(900);
});

it("forgets the peers that were dialled longest ago", () => {
  const roundTrips = new RoundTrips();
  roundTrips.note("127.0.0.1", 1, 10);
  roundTrips.note("127.0.0.1", 2, 10);
  for (let port = 3; port <= 1024; port++) roundTrips.note("127.0.0.1", port, 10);
  roundTrips.note("127.0.0.1", 1, 99);
  roundTrips.note("127.0.0.1", 1025, 10);
  expect(roundTrips.note("127.0.0.1", 1, 99)).toBe(10);
  expect(roundTrips.note("127.0.0.1", 2, 99)).toBe(99);
});
