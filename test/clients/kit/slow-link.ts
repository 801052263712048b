/** What a slow link does to a client, measured: not more than the policy says, and nothing outside of the scope. */
import { createHash } from "node:crypto";
import { faultScope } from "faultcore";
import type { FaultScope, PolicyFields } from "faultcore";
import { expect } from "vitest";
import { figures, median, timed, upToThreeTimes } from "../../helpers/measure.ts";

/** slow_link without its timeouts, with which nothing would ever be done in time. */
const SLOW_LINK: PolicyFields = { latency: "50ms", jitter: "10ms", packet_loss: "1%", burst_loss: "3", rate: "2mbps", seed: 2 };
const ROUNDS = 8;
/** Latency both ways; what jitter and the rate of a small message add to it at most. */
const LEAST_MS = 100;
const MOST_MS = 100 + 20 + 5;

/** What the scope's own decisions took, in ms: the latest of each direction counts, since one exchange is one message up and one down. */
function decidedMs(scope: FaultScope): { readonly least: number; readonly lost: boolean } {
  const events = scope.events();
  const of = (fault: string, direction: string): number =>
    events.find((event) => event.fault === fault && event.direction === direction)?.delayMs ?? 0;
  const least = ["uplink", "downlink"].map((direction) => of("latency", direction) + of("jitter", direction) + of("rate", direction));
  return { least: least[0]! + least[1]!, lost: events.some(({ decision }) => decision.startsWith("lost")) };
}

interface Times {
  readonly slow: number[];
  readonly fast: number[];
}

/** One operation of one exchange, many times on a slow link, each followed by one outside of the scope. */
export async function expectOneRoundTripMore(what: string, operation: () => Promise<unknown>): Promise<void> {
  await operation();
  const measure = async (): Promise<Times> => {
    const times: Times = { slow: [], fast: [] };
    for (let round = 0; round < ROUNDS; round++) {
      const scope = faultScope(SLOW_LINK);
      const { ms } = await timed(() => scope.run(operation));
      const { least, lost } = decidedMs(scope);
      expect(ms).toBeGreaterThanOrEqual(LEAST_MS);
      expect(ms).toBeGreaterThanOrEqual(least);
      if (!lost) times.slow.push(ms);
      times.fast.push((await timed(operation)).ms);
    }
    return times;
  };
  const { slow, fast } = await upToThreeTimes(measure, (times) => median(times.slow) < MOST_MS + 25 && median(times.fast) < LEAST_MS / 2);
  console.log(`${what}: on a slow link ${figures(slow)} ms, next one outside ${figures(fast)} ms`);
  expect(median(slow)).toBeLessThan(MOST_MS + 25);
  expect(median(fast)).toBeLessThan(LEAST_MS / 2);
}

/** Sends 5 MB to be sent back, at 400 Mbit/s: 100 ms in each direction. */
export async function expectLargeResultIntact(echo: (text: string) => Promise<unknown>): Promise<void> {
  const text = createHash("shake256", { outputLength: 3_750_000 }).update("large").digest("base64");
  const scope = faultScope({ latency: "10ms", rate: "400mbps" });
  const { ms, value } = await timed(() => scope.run(() => echo(text)));
  // Not toEqual: nobody wants to read the difference.
  expect(value === text).toBe(true);
  expect(ms).toBeGreaterThanOrEqual(2 * (100 + 10));
  scope.assertInjected("rate");
  scope.assertInjected("latency");
}
