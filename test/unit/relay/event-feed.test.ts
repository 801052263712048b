import { describe, expect, it } from "vitest";
import { decisionAt } from "../../../src/engine/decisions.ts";
import { DOWNLINK } from "../../../src/engine/types.ts";
import { MAX_EVENTS } from "../../../src/internal/limits.ts";
import { EventFeed } from "../../../src/relay/event-feed.ts";
import type { FromRelay } from "../../../src/relay/protocol.ts";
import { openScope, scopeCounters } from "../../../src/table/scopes.ts";
import { PolicyTable } from "../../../src/table/table.ts";

const latency = decisionAt({ direction: DOWNLINK, exchange: 0, cell: 0, split: 0 }, 0, 1460, "latency", "delay", 1e6);
const lost = decisionAt({ direction: DOWNLINK, exchange: 0, cell: 0, split: 0 }, 0, 1460, "packet_loss", "lost", 1e6);

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

const counted = (sent: readonly FromRelay[]): [string, number][] =>
  sent.flatMap((message) => (message.type === "counts" ? message.counts.map(([fault, count]): [string, number] => [fault, count]) : []));

describe("what a relay tells of its decisions", () => {
  it("is each of the first ones, then their number, by fault, and nothing is missing", () => {
    const { feed, scope, sent, table } = feeding();
    for (let n = 0; n < MAX_EVENTS; n++) feed.record(scope, 7n, latency);
    feed.flush();
    expect([events(sent), counted(sent)]).toEqual([MAX_EVENTS, []]);
    for (let n = 0; n < 300; n++) feed.record(scope, 7n, n % 3 === 0 ? lost : latency);
    feed.flush();
    expect(events(sent)).toBe(MAX_EVENTS);
    expect(counted(sent)).toEqual([
      ["packet_loss", 100],
      ["latency", 200],
    ]);
    feed.flush();
    feed.record(scope, 7n, lost);
    feed.flush();
    expect(counted(sent).slice(2)).toEqual([["packet_loss", 1]]);
    expect(scopeCounters(table, scope)).toMatchObject({ events: MAX_EVENTS + 301, injected: MAX_EVENTS + 301 });
  });

  it("is every one of them while somebody listens", () => {
    const { feed, scope, sent, hear } = feeding();
    hear(true);
    for (let n = 0; n < MAX_EVENTS + 5; n++) feed.record(scope, 7n, latency);
    hear(false);
    feed.record(scope, 7n, latency);
    hear(true);
    feed.record(scope, 7n, latency);
    feed.flush();
    expect([events(sent), counted(sent)]).toEqual([MAX_EVENTS + 6, [["latency", 1]]]);
  });

  it("is told before the relay forgets a scope, and the next one of that reference begins anew", () => {
    const { feed, scope, sent } = feeding();
    for (let n = 0; n <= MAX_EVENTS; n++) feed.record(scope, 7n, latency);
    feed.drop(scope);
    expect([events(sent), counted(sent)]).toEqual([MAX_EVENTS, [["latency", 1]]]);
    feed.record(scope, 7n, latency);
    feed.flush();
    expect(events(sent)).toBe(MAX_EVENTS + 1);
  });
});
