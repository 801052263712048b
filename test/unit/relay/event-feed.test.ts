import { describe, expect, it } from "vitest";
import { decisionAt } from "../../../src/engine/decisions.ts";
import { causeNumber } from "../../../src/engine/registry.ts";
import { DOWNLINK } from "../../../src/engine/types.ts";
import { MAX_EVENTS } from "../../../src/internal/limits.ts";
import { EventFeed } from "../../../src/relay/event-feed.ts";
import type { FromRelay } from "../../../src/relay/protocol.ts";
import { openScope, scopeCounters } from "../../../src/table/scopes.ts";
import { PolicyTable } from "../../../src/table/table.ts";

const latency = decisionAt({ direction: DOWNLINK, exchange: 0, cell: 0, split: 0 }, 0, 1460, "latency", "delay", 1e6);
const lost = decisionAt({ direction: DOWNLINK, exchange: 0, cell: 0, split: 0 }, 0, 1460, "packet_loss", "lost", 1e6);
const recovered = decisionAt({ direction: DOWNLINK, exchange: 0, cell: 0, split: 0 }, 0, 1460, "packet_loss", "recovered", 1e6);

function feeding(): { feed: EventFeed; scope: number; sent: FromRelay[]; table: PolicyTable; hear: (heard: boolean) => void } {
  const table = PolicyTable.create(1);
  const sent: FromRelay[] = [];
  let isHeard = false;
  const feed = new EventFeed(
    table,
    (message) => sent.push(message),
    () => isHeard,
  );
  const scope = openScope(table, { policyId: 1, ordinal: 0, seed: 1n, anchorNs: 0 });
  return { feed, scope, sent, table, hear: (heard) => (isHeard = heard) };
}

const events = (sent: readonly FromRelay[]): number =>
  sent.reduce((sum, message) => sum + (message.type === "events" ? message.events.length : 0), 0);

const asked = (sent: readonly FromRelay[]): number => sent.filter(({ type }) => type === "unheard").length;

const LATENCY = causeNumber("latency");
const LOSS = causeNumber("packet_loss");

describe("what a relay tells of its decisions", () => {
  it("is each of the first ones; all of them are counted, by fault, and nothing is missing", () => {
    const { feed, scope, sent, table } = feeding();
    for (let n = 0; n < MAX_EVENTS; n++) feed.record(scope, 7n, latency);
    feed.flush();
    expect([events(sent), asked(sent)]).toEqual([MAX_EVENTS, 0]);
    for (let n = 0; n < 300; n++) feed.record(scope, 7n, n % 3 === 0 ? lost : recovered);
    feed.flush();
    expect(events(sent)).toBe(MAX_EVENTS);
    const { injected, decisions } = scopeCounters(table, scope);
    expect(injected).toBe(MAX_EVENTS + 100);
    expect([decisions.get(LATENCY), decisions.get(LOSS)]).toEqual([MAX_EVENTS, 300]);
  });

  it("is every one of them while somebody listens", () => {
    const { feed, scope, sent, hear, table } = feeding();
    hear(true);
    for (let n = 0; n < MAX_EVENTS + 5; n++) feed.record(scope, 7n, latency);
    hear(false);
    feed.record(scope, 7n, latency);
    hear(true);
    feed.record(scope, 7n, latency);
    feed.flush();
    expect(events(sent)).toBe(MAX_EVENTS + 6);
    expect(scopeCounters(table, scope).decisions.get(LATENCY)).toBe(MAX_EVENTS + 7);
  });

  it("asks ten times a second whether somebody listens by now, however many decisions nobody hears of", () => {
    const { feed, scope, sent } = feeding();
    for (let n = 0; n < MAX_EVENTS; n++) feed.record(scope, 7n, latency);
    expect(asked(sent)).toBe(0);
    for (let ms = 0; ms < 1000; ms++) feed.record(scope, 7n, { ...latency, atNs: ms * 1e6 });
    expect(asked(sent)).toBe(10);
  });

  it("is told before the relay forgets a scope, and the next one of that reference begins anew", () => {
    const { feed, scope, sent } = feeding();
    for (let n = 0; n <= MAX_EVENTS; n++) feed.record(scope, 7n, latency);
    feed.drop(scope);
    expect(events(sent)).toBe(MAX_EVENTS);
    feed.record(scope, 7n, latency);
    feed.flush();
    expect(events(sent)).toBe(MAX_EVENTS + 1);
  });
});
