// Beyond 10,000 events of a scope, the relay counts them and sends those that somebody listens to.
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { faultScope, install, onFault, reset, uninstall } from "faultcore";
import type { FaultEvent, FaultScope } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { nowMs } from "../helpers/measure.ts";
import { echo } from "../helpers/peers.ts";
import { talk } from "../helpers/worker-peer.ts";

const KEPT = 10_000;
const ASKED = 5100;

beforeAll(() => install({ steer: "always" }));
afterEach(() => reset());
afterAll(() => uninstall());

let peer: Awaited<ReturnType<typeof echo>>;
beforeAll(async () => {
  peer = await echo();
});
afterAll(() => peer[Symbol.asyncDispose]());

/** Goes on in a scope that has had all the events that it keeps. Each question makes two. */
async function beyond(then: (ask: () => Promise<string>, scope: FaultScope) => Promise<void>): Promise<void> {
  const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
  const ask = (): Promise<string> => conversation.ask("x");
  const scope = faultScope({ latency: "1us" });
  await scope.run(async () => {
    for (let n = 0; n < ASKED; n++) await ask();
    await then(ask, scope);
  });
  await conversation.close();
}

describe("events that are too many to keep", () => {
  it("are counted, each of them, by the time its answer is there", () =>
    beyond(async (_ask, scope) => {
      const { events, faults, injected } = scope.report();
      expect(events).toEqual({ recorded: 2 * ASKED, kept: KEPT, dropped: 2 * ASKED - KEPT });
      expect(faults["latency"]).toMatchObject({ count: 2 * ASKED, measured: { count: 2 * ASKED } });
      expect(injected).toBe(2 * ASKED);
      expect(scope.events()).toHaveLength(KEPT);
    }));

  it("are heard by a listener from the next one on, and no longer when it stops", () =>
    beyond(async (ask, scope) => {
      const heard: FaultEvent[] = [];
      const stop = onFault((event) => heard.push(event));
      await ask();
      stop();
      await ask();
      expect(heard.map(({ direction }) => direction)).toEqual(["uplink", "downlink"]);
      expect(scope.report().events.recorded).toBe(2 * (ASKED + 2));
    }));

  it("are heard by a subscriber of the diagnostics channel within a moment", () =>
    beyond(async (ask) => {
      const heard: unknown[] = [];
      const listener = (event: unknown): void => void heard.push(event);
      subscribe("faultcore:event", listener);
      const began = nowMs();
      while (heard.length === 0 && nowMs() - began < 5000) await ask();
      unsubscribe("faultcore:event", listener);
      expect(heard.length).toBeGreaterThan(0);
    }));
});
