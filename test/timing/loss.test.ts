import { createHash, randomBytes } from "node:crypto";
import { faultScope, install, registerPolicy, reset, uninstall } from "faultcore";
import type { FaultEvent, PolicyFields } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { figures, median, nowMs, timed } from "../helpers/measure.ts";
import { serve } from "../helpers/peers.ts";
import type { Talk } from "../helpers/worker-peer.ts";
import { talk, workerPeer } from "../helpers/worker-peer.ts";

const SEED = 20_260_101;

const sha256 = (data: Buffer): string => createHash("sha256").update(data).digest("hex");

/** How many transmissions failed, by position; the decisions are fixed by the seed. */
function losses(events: readonly FaultEvent[]): ReadonlyMap<string, { readonly failed: number; readonly fault: string }> {
  const lost = events.filter(({ decision, position }) => decision.startsWith("lost x") && !position.startsWith("connect"));
  return new Map(
    lost.map(({ flow, position, decision, fault }) => [`${flow} ${position}`, { failed: Number(decision.slice("lost x".length)), fault }]),
  );
}

/** Within five standard deviations (and a half, for small counts): the odds of a right model to miss it are below 1e-6. */
function expectShare(what: string, hits: number, of: number, probability: number): void {
  const bound = 5 * Math.sqrt((probability * (1 - probability)) / of) + 0.5 / of;
  console.log(
    `${what}: ${hits} of ${of} (${((100 * hits) / of).toFixed(2)} %, expected ${(100 * probability).toFixed(2)} ± ${(100 * bound).toFixed(2)} %)`,
  );
  expect(Math.abs(hits / of - probability)).toBeLessThanOrEqual(bound);
}

/** One after the other: the relay measures the real round trip at each connect, and loss recovery counts it. */
async function openTalks(count: number, port: number): Promise<Talk[]> {
  const talks: Talk[] = [];
  for (let flow = 0; flow < count; flow++) talks.push(await talk({ port, host: "127.0.0.1" }));
  return talks;
}

beforeAll(() => {
  console.log(`seed ${SEED}`);
  install({ steer: "always" });
});
afterEach(() => reset());
afterAll(() => uninstall());

describe("loss on an open connection, lone messages", () => {
  const FLOWS = 50;
  const MESSAGES = 20;
  const LATENCY_MS = 10;
  // RTO = SRTT + max(200 ms, 4·RTTVAR); the round trip is 20 ms and a little more.
  const RTO_MS = 220;

  it("delays the share that is lost, k failed transmissions by RTO·2^(k−1), and no other message", async () => {
    await using peer = await workerPeer("stamp");
    const scope = faultScope({ latency: `${LATENCY_MS}ms`, seed: SEED, uplink: { packetLoss: "20%" } });
    const delays = new Map<string, number>();
    // Opened outside, so that no SYN is lost; flows get their ordinals in the order of their first write.
    const talks = await openTalks(FLOWS, peer.port);
    await scope.run(() =>
      Promise.all(
        talks.map(async (conversation, flow) => {
          for (let message = 0; message < MESSAGES; message++) {
            const sent = nowMs();
            const arrived = Number((await conversation.ask("x")).split(" ")[1]);
            delays.set(`${flow} ${message}.0.0`, arrived - sent - LATENCY_MS);
          }
        }),
      ),
    );
    const lost = losses(scope.events());
    expectShare("messages lost", lost.size, FLOWS * MESSAGES, 0.2);
    const twice = [...lost.values()].filter(({ failed }) => failed >= 2).length;
    expectShare("of these lost again", twice, lost.size, 0.2);

    const ratios = new Map<number, number[]>();
    const untouched: number[] = [];
    const early: string[] = [];
    for (const [key, delay] of delays) {
      const failed = lost.get(key)?.failed ?? 0;
      const predicted = failed === 0 ? 0 : RTO_MS * 2 ** (failed - 1);
      if (delay < predicted) early.push(`message ${key}, lost ${failed} times: ${delay} ms`);
      if (failed === 0) untouched.push(delay);
      else ratios.set(failed, [...(ratios.get(failed) ?? []), delay / predicted]);
    }
    // A machine that stands still while a connection is made makes its round trip look longer than it is: then a message may find its
    // predecessor not acknowledged yet, and is rescued by a probe.
    expect(early.length, `early: ${early.join("; ")}`).toBeLessThanOrEqual(0.02 * lost.size);
    console.log(`not lost: +${figures(untouched)} ms`);
    expect(median(untouched)).toBeLessThan(10);
    for (const [failed, of] of [...ratios].toSorted(([a], [b]) => a - b)) {
      console.log(`lost x${failed} (${of.length}): delay over RTO·2^${failed - 1} = ${figures(of)}`);
      expect(median(of)).toBeLessThan(1.15);
    }
    expect([...ratios.keys()].toSorted().slice(0, 2)).toEqual([1, 2]);
    await Promise.all(talks.map((conversation) => conversation.close()));
  });

  it("reports each loss and what its recovery cost", async () => {
    await using peer = await workerPeer("stamp");
    const scope = faultScope({ latency: "5ms", seed: SEED, uplink: { packetLoss: "40%" } });
    const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
    await scope.run(async () => {
      for (let message = 0; message < 8; message++) await conversation.ask("x");
    });
    await conversation.close();
    const report = scope.report();
    const lost = scope.events().filter(({ decision }) => decision.startsWith("lost"));
    const recovered = scope.events().filter(({ decision }) => decision === "recovered");
    expect(lost.length).toBeGreaterThan(0);
    expect(recovered.map(({ position }) => position)).toEqual(lost.map(({ position }) => position));
    for (const { delayMs } of recovered) expect(delayMs).toBeGreaterThanOrEqual(10);
    expect(median(recovered.map(({ delayMs }) => delayMs))).toBeGreaterThanOrEqual(200);
    expect(report.faults["packet_loss"]).toMatchObject({ count: lost.length + recovered.length });
    expect(report.seed).toBe(String(SEED));
  });
});

describe("loss within a flight of packets", () => {
  it("costs about one round trip where three later packets follow, and the bytes come in order", async () => {
    const PACKETS = 60;
    const bytes = PACKETS * 1460;
    const data = randomBytes(bytes);
    const lossy: number[] = [];
    const clean: number[] = [];
    const scope = faultScope({ latency: "25ms", seed: SEED, uplink: { packetLoss: "1%" } });
    await using peer = await workerPeer("sink", { bytes });
    const talks = await openTalks(30, peer.port);
    const flights: { flow: number; ms: number }[] = [];
    await scope.run(() =>
      Promise.all(
        talks.map(async (conversation, flow) => {
          const sent = nowMs();
          conversation.socket.write(data);
          const { lastMs, hash } = JSON.parse(await conversation.hear()) as { lastMs: number; hash: string };
          expect(hash).toBe(sha256(data));
          flights.push({ flow, ms: lastMs - sent - 25 });
        }),
      ),
    );
    const lost = [...losses(scope.events())];
    expectShare("packets lost", lost.length, 30 * PACKETS, 0.01);
    for (const { flow, ms } of flights) {
      const mine = lost.filter(([key]) => key.startsWith(`${flow} `));
      expect(ms).toBeGreaterThanOrEqual(0);
      if (mine.length === 0) clean.push(ms);
      // One packet lost once, and three behind it.
      else if (mine.length === 1 && mine[0]![1].failed === 1 && Number(mine[0]![0].split(".")[1]) < PACKETS - 4) {
        lossy.push(ms);
      }
    }
    console.log(`flights of 60 packets, round trip 50 ms: without loss +${figures(clean)} ms, one packet lost +${figures(lossy)} ms`);
    expect(lossy.length).toBeGreaterThan(3);
    expect(Math.min(...lossy)).toBeGreaterThanOrEqual(50);
    // A timer would have taken 250 ms.
    expect(median(lossy) - median(clean)).toBeLessThan(125);
    await Promise.all(talks.map((conversation) => conversation.close()));
  });

  it("takes bursts of exactly the length that burst_loss says, at the rate Bp/(1+(B−1)p)", async () => {
    const PACKETS = 400;
    const FLOWS = 20;
    const bytes = PACKETS * 1460;
    await using peer = await workerPeer("sink", { bytes });
    const scope = faultScope({ seed: SEED, uplink: { packetLoss: "1%", burstLoss: 3 } });
    const talks = await openTalks(FLOWS, peer.port);
    const data = randomBytes(bytes);
    await scope.run(() =>
      Promise.all(
        talks.map(async (conversation) => {
          conversation.socket.write(data);
          expect((JSON.parse(await conversation.hear()) as { hash: string }).hash).toBe(sha256(data));
        }),
      ),
    );
    const lost = losses(scope.events());
    const broken: string[] = [];
    for (let flow = 0; flow < FLOWS; flow++) {
      const mine = [...lost].filter(([key]) => key.startsWith(`${flow} `));
      for (const [index, [key, { fault }]] of mine.entries()) {
        const cell = (at: number): number => Number(mine[at]![0].split(".")[1]);
        // The burst takes the next packets: of the next cells, or of the same one where the machine stood still in the middle of it.
        // Only the end of the message cuts it short.
        const right = index % 3 === 0 ? fault === "packet_loss" : fault === "burst_loss" && cell(index) - cell(index - 1) <= 1;
        if (!right) broken.push(`${key} ${fault}`);
      }
      const last = mine.at(-1)?.[0].split(".")[1];
      if (mine.length % 3 !== 0 && Number(last) !== PACKETS - 1) broken.push(`flow ${flow} ends in a burst`);
    }
    expect(broken).toEqual([]);
    // The loss of a packet in a renewal process: its variance is about B times that of single losses.
    const rate = (3 * 0.01) / (1 + 2 * 0.01);
    const bound = 5 * Math.sqrt((3 * rate * (1 - rate)) / (FLOWS * PACKETS));
    console.log(`bursts of 3: ${lost.size} of ${FLOWS * PACKETS} packets lost, expected ${(rate * FLOWS * PACKETS).toFixed(0)}`);
    expect(Math.abs(lost.size / (FLOWS * PACKETS) - rate)).toBeLessThanOrEqual(bound);
    await Promise.all(talks.map((conversation) => conversation.close()));
  });
});

describe("a lost SYN", () => {
  const policy = (seed: number): PolicyFields => ({ packetLoss: "25%", seed });
  const connectEvents = (events: readonly FaultEvent[]): string[] => events.map(({ decision }) => decision);

  /** The first seed under which the first connect loses exactly this many SYNs. A named policy's draws do not depend on its other fields. */
  async function seedThatLoses(syns: number, port: number): Promise<number> {
    for (let seed = 1; ; seed++) {
      registerPolicy("syn", { ...policy(seed), timeout: { connect: "5ms" } });
      const scope = faultScope("syn");
      const outcome = scope.run(() => talk({ port, host: "127.0.0.1" }));
      await outcome.then(
        (conversation) => conversation.close(),
        () => {},
      );
      if (connectEvents(scope.events()).includes(`lost x${syns}`)) return seed;
    }
  }

  it("delays the connect by 1 s, two of them by 2 s, and the peer sees one connection, when it is made", async () => {
    await using peer = await serve((socket) => socket.end());
    const cases: { syns: number; run: Promise<{ ms: number }> }[] = [];
    for (const syns of [1, 2]) {
      const seed = await seedThatLoses(syns, peer.port);
      console.log(`${syns} lost SYN(s): seed ${seed}`);
      // Registered anew: the same first application draws the same.
      registerPolicy("syn", policy(seed));
      const before = peer.accepted();
      const run = timed(async () => {
        const scope = faultScope("syn");
        const conversation = await scope.run(() => talk({ port: peer.port, host: "127.0.0.1" }));
        expect(connectEvents(scope.events())).toEqual([`lost x${syns}`]);
        await conversation.close();
      });
      await new Promise((resolve) => setImmediate(resolve));
      expect(peer.accepted()).toBe(before);
      cases.push({ syns, run });
    }
    for (const { syns, run } of cases) {
      const { ms } = await run;
      console.log(`connect with ${syns} lost SYN(s): ${ms.toFixed(1)} ms`);
      expect(ms).toBeGreaterThanOrEqual(1000 * syns);
      expect(ms).toBeLessThan(1000 * syns + 500);
    }
  });
});
