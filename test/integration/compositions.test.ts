/**
 * Two hundred policies, put together at random, on real sockets: whatever they combine, no byte is wrong that no fault may change, what
 * fails fails as injected, nothing outside is touched, and nothing is left behind. `FC_SEED` runs another two hundred.
 */
import dgram from "node:dgram";
import { lookup } from "node:dns/promises";
import { once } from "node:events";
import net from "node:net";
import * as fc from "fast-check";
import { checkPolicy, faultScope, install, isInjected, reset, uninstall } from "faultcore";
import type { PolicyFields } from "faultcore";
import { afterAll, beforeAll, expect, it } from "vitest";
import { askOnce } from "../helpers/ask.ts";
import { echo } from "../helpers/peers.ts";
import { runtime, until } from "../helpers/runtime.ts";

const POLICIES = 200;
const AT_ONCE = 20;
const SEED = Number(process.env["FC_SEED"] ?? 20_261_124);
/** A policy that can bring traffic to a stand has done it by then. One that cannot gets all the time that a busy machine needs. */
const PATIENCE_MS = 700;
const LONG_PATIENCE_MS = 20_000;
const MESSAGES = [100, 5000, 20_000].map((bytes, n) => Buffer.alloc(bytes, `${n}abcdefghij`));

beforeAll(() => install({ steer: "always" }));
afterAll(() => {
  reset();
  uninstall();
});

/** Present now and then. */
const maybe = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { freq: 2, nil: undefined });
const ms = (least: number, most: number): fc.Arbitrary<string> => fc.integer({ min: least, max: most }).map((n) => `${n}ms`);
const percent = (most: number): fc.Arbitrary<string> => fc.integer({ min: 0, max: most }).map((n) => `${n}%`);
const error = fc.constantFrom("reset", "refused", "unreachable");

const direction = {
  latency: maybe(ms(0, 10)),
  jitter: maybe(ms(0, 5)),
  packetLoss: maybe(percent(4)),
  burstLoss: maybe(fc.integer({ min: 1, max: 3 })),
  rate: maybe(fc.constantFrom("unlimited", "5mbps", "100mbps")),
};

const policies: fc.Arbitrary<PolicyFields> = fc.record({
  ...direction,
  uplink: maybe(fc.record(direction)),
  downlink: maybe(fc.record(direction)),
  congestion: maybe(fc.constantFrom("none", "reno", "cubic")),
  rateShare: maybe(fc.constantFrom("flow", "scope")),
  correlatedLoss: maybe(fc.record({ pGoodToBad: percent(3), pBadToGood: fc.constant("50%"), lossGood: percent(1), lossBad: percent(60) })),
  timeout: maybe(fc.record({ connect: ms(50, 400), recv: ms(50, 400) })),
  connectionError: maybe(fc.record({ kind: error, prob: percent(30) })),
  halfOpen: maybe(fc.record({ after: fc.constantFrom("1kb", "20kb", "1mb"), error: fc.oneof(error, fc.constant("silent")) })),
  packetDuplicate: maybe(fc.record({ prob: percent(50), maxExtra: fc.integer({ min: 1, max: 3 }) })),
  packetReorder: maybe(
    fc.record({
      prob: percent(50),
      maxDelay: ms(1, 20),
      window: fc.integer({ min: 1, max: 4 }),
      stream: fc.constantFrom("wait", "wait", "wait", "swap"),
    }),
  ),
  dns: maybe(fc.record({ delay: ms(0, 20), nxdomain: percent(30) })),
  sessionBudget: maybe(
    fc.oneof(
      fc.record({ maxTx: fc.constantFrom("5kb", "1mb"), action: fc.constant("drop") }),
      fc.record({ maxRx: fc.constantFrom("5kb", "1mb"), action: fc.constant("connection_error"), error }),
      fc.record({ maxOps: fc.integer({ min: 1, max: 9 }), action: fc.constant("timeout"), budgetTimeout: ms(1, 50) }),
    ),
  ),
  payloadMutation: maybe(
    fc.record({
      type: fc.constantFrom("replace_pattern", "corrupt_bytes", "swap_bytes", "corrupt_encoding"),
      prob: percent(60),
      replaceFind: fc.constant("abc"),
      replaceWith: fc.constant("ABC"),
      corruptCount: fc.integer({ min: 1, max: 4 }),
      swapPos1: fc.constant(1),
      swapPos2: fc.constant(7),
      dryRun: fc.boolean(),
    }),
  ),
  schedule: maybe(
    fc.oneof(
      fc.record({ kind: fc.constant("ramp"), ramp: ms(1, 300), anchor: fc.constantFrom("process", "scope") }),
      fc.record({ kind: fc.constant("flapping"), on: ms(5, 50), off: ms(5, 50) }),
      fc.record({ kind: fc.constant("spike"), every: ms(50, 60), duration: ms(5, 50) }),
    ),
  ),
  skip: maybe(fc.integer({ min: 0, max: 2 })),
  times: maybe(fc.integer({ min: 1, max: 6 })),
  seed: fc.integer({ min: 0, max: 1_000_000 }),
}) as never;

interface Outcome {
  readonly received: Buffer;
  readonly error: Error | undefined;
  readonly stalled: boolean;
}

/** Sends each message when the one before has come back whole. */
function converse(port: number, patienceMs: number): Promise<Outcome> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const socket = net.connect({ port, host: "127.0.0.1" });
    let [sent, received] = [0, 0];
    let failure: Error | undefined;
    let stalled = false;
    const timer = setTimeout(() => {
      stalled = true;
      socket.destroy();
    }, patienceMs);
    const next = (): void => {
      const message = MESSAGES[sent++];
      if (message === undefined) socket.end();
      else socket.write(message);
    };
    socket.on("connect", next);
    socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      received += chunk.length;
      const due = MESSAGES.slice(0, sent).reduce((bytes, message) => bytes + message.length, 0);
      if (received >= due) next();
    });
    socket.on("error", (cause) => (failure = cause));
    socket.on("close", () => {
      clearTimeout(timer);
      resolve({ received: Buffer.concat(chunks), error: failure, stalled });
    });
  });
}

/** Ten numbered datagrams to an echo; what came back once nothing can be under way any more. */
async function datagrams(port: number): Promise<string[]> {
  const socket = dgram.createSocket("udp4");
  const received: string[] = [];
  socket.on("message", (message) => received.push(message.toString()));
  socket.on("error", () => {});
  for (let n = 0; n < 10; n++) socket.send(`datagram ${n}`, port, "127.0.0.1");
  const deadline = performance.now() + PATIENCE_MS;
  await until("ten answers, or patience is over", () => received.length >= 10 || performance.now() > deadline);
  const closed = once(socket, "close");
  socket.close();
  await closed;
  return received;
}

const changesBytes = ({ payloadMutation, packetReorder }: PolicyFields): boolean =>
  (payloadMutation !== undefined && payloadMutation.dryRun !== true) || packetReorder?.stream === "swap";

const mayEnd = (fields: PolicyFields): boolean =>
  [fields.timeout, fields.connectionError, fields.halfOpen, fields.sessionBudget].some((field) => field !== undefined);

/** Losses cost retransmission timeouts, and one after the other takes longer than the patience of this test. */
const mayStall = (fields: PolicyFields): boolean =>
  [fields.packetLoss, fields.uplink?.packetLoss, fields.downlink?.packetLoss, fields.correlatedLoss].some((field) => field !== undefined);

/** Also where bytes change, their number may, and the conversation waits for as many as it sent. */
const standsStill = (fields: PolicyFields): boolean => mayEnd(fields) || mayStall(fields) || changesBytes(fields);

/** What a policy did that it may not do. */
async function tryPolicy(fields: PolicyFields, tcpPort: number, udpPort: number): Promise<string[]> {
  checkPolicy(fields);
  const scope = faultScope(fields);
  const [tcp, udp, nameError] = await scope.run(() =>
    Promise.all([
      converse(tcpPort, standsStill(fields) ? PATIENCE_MS : LONG_PATIENCE_MS),
      datagrams(udpPort),
      lookup("localhost").then(
        () => undefined,
        (cause: Error) => cause,
      ),
    ]),
  );
  const whole = Buffer.concat(MESSAGES);
  const report = scope.report();
  const laws: readonly (readonly [string, boolean])[] = [
    ["bytes are right and in order", changesBytes(fields) || tcp.received.equals(whole.subarray(0, tcp.received.length))],
    ["datagrams are right", changesBytes(fields) || udp.every((message) => /^datagram \d$/.test(message))],
    [`the connection fails as injected, not with ${tcp.error?.stack}`, tcp.error === undefined || isInjected(tcp.error)],
    [`the lookup fails as injected, not with ${nameError?.stack}`, nameError === undefined || isInjected(nameError)],
    [`nothing that cannot fail a connection does: ${tcp.error?.message}`, mayEnd(fields) || tcp.error === undefined],
    [`everything arrives: ${tcp.received.length} of ${whole.length} bytes`, standsStill(fields) || tcp.received.length === whole.length],
    ["nothing stalls without a reason", standsStill(fields) || !tcp.stalled],
    ["the scope has ended", report.state === "ended"],
    ["events are counted", report.events.recorded >= report.events.kept],
  ];
  return laws.filter(([, holds]) => !holds).map(([law]) => `not so: ${law}, under ${JSON.stringify(fields)}`);
}

it(`${POLICIES} policies that were put together at random keep the laws`, { timeout: 60_000 }, async () => {
  await using peer = await echo();
  const server = dgram.createSocket("udp4");
  server.on("message", (message, from) => server.send(message, from.port, from.address));
  server.bind(0, "127.0.0.1");
  await once(server, "listening");
  try {
    const waiting = fc.sample(policies, { seed: SEED, numRuns: POLICIES });
    const broken: string[] = [];
    const worker = async (): Promise<void> => {
      for (let fields = waiting.pop(); fields !== undefined; fields = waiting.pop()) {
        broken.push(...(await tryPolicy(fields, peer.port, server.address().port)));
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, worker));
    expect(broken, `FC_SEED=${SEED}`).toEqual([]);
    // Nothing of them is left for whoever comes next.
    expect(await askOnce(peer.port)).toBe("hello");
  } finally {
    server.close();
  }
  const inside = await runtime();
  await until("no flow is left", () => inside.client().openFlows === 0);
  await until("no scope is left", () => inside.table().scopesLive() === 0);
});
