import { once } from "node:events";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { faultScope, install, reset, uninstall, withFaults } from "faultcore";
import type { PolicyFields } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { authority } from "../helpers/certificates.mjs";
import { figures, median, nowMs, timed, upToThreeTimes } from "../helpers/measure.ts";
import { talk, workerPeer } from "../helpers/worker-peer.ts";

const FIFTY: PolicyFields = { latency: "50ms" };
const ROUNDS = 20;

async function read(message: NodeJS.ReadableStream): Promise<string> {
  let text = "";
  for await (const chunk of message) text += String(chunk);
  return text;
}

async function get(port: number, agent: http.Agent | false, secure = false): Promise<void> {
  const options = { port, host: "127.0.0.1", agent };
  const request = secure ? https.get({ ...options, ca: authority }) : http.get(options);
  const [response] = (await once(request, "response")) as [http.IncomingMessage];
  expect(await read(response)).toBe("ok");
}

/** One request on a new HTTP/2 session, or on an open one. */
async function get2(session: http2.ClientHttp2Session): Promise<void> {
  const stream = session.request({ ":path": "/" });
  expect(await read(stream)).toBe("ok");
}

interface Comparison {
  /** Each faulted case. */
  readonly faulted: readonly number[];
  readonly direct: readonly number[];
  /** Median of the faulted ones minus median of the direct ones. */
  readonly extra: number;
}

/** Direct and faulted in turn. No single case may be faster than the policy's delay. */
async function compare(policy: PolicyFields, leastMs: number, run: () => Promise<void>, rounds = ROUNDS): Promise<Comparison> {
  const direct: number[] = [];
  const faulted: number[] = [];
  await run();
  await withFaults({ latency: "1ms" }, run);
  for (let round = 0; round < rounds; round++) {
    direct.push((await timed(run)).ms);
    faulted.push((await timed(() => withFaults(policy, run))).ms);
    expect(faulted.at(-1)).toBeGreaterThanOrEqual(leastMs);
  }
  return { faulted, direct, extra: median(faulted) - median(direct) };
}

async function expectExtra(what: string, policy: PolicyFields, [least, most]: [number, number], run: () => Promise<void>, rounds?: number) {
  const good = ({ extra }: Comparison): boolean => extra >= least && extra <= most;
  const result = await upToThreeTimes(() => compare(policy, least, run, rounds), good);
  console.log(`${what}: +${result.extra.toFixed(2)} ms; faulted ${figures(result.faulted)}, direct ${figures(result.direct)}`);
  // The direct run's own time is part of the faulted one's too: a hair below is the noise of the difference, never an early delay.
  expect(result.extra).toBeGreaterThanOrEqual(least - 0.5);
  expect(result.extra).toBeLessThanOrEqual(most);
}

beforeAll(() => install());
afterEach(() => reset());
afterAll(() => uninstall());

describe("50 ms one way", () => {
  it("makes a fresh https request over TLS 1.3 take three round trips more", async () => {
    await using peer = await workerPeer("https");
    await expectExtra("https", FIFTY, [300, 315], () => get(peer.port, false, true));
  });

  it("makes a fresh http request take two round trips more", async () => {
    await using peer = await workerPeer("http");
    await expectExtra("http", FIFTY, [200, 210], () => get(peer.port, false));
  });

  it("makes a request on an open keep-alive connection take one round trip more", async () => {
    await using peer = await workerPeer("http");
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    await withFaults({ latency: "1ms" }, () => get(peer.port, agent));
    await expectExtra("keep-alive", FIFTY, [100, 106], () => get(peer.port, agent));
    agent.destroy();
  });

  it("makes HTTP/2 in the clear take two round trips when fresh and one on an open session", async () => {
    await using peer = await workerPeer("h2");
    const fresh = async (): Promise<void> => {
      const session = http2.connect(`http://127.0.0.1:${peer.port}`);
      await get2(session);
      session.destroy();
    };
    await expectExtra("h2c fresh", FIFTY, [200, 212], fresh, 10);
    const session = await withFaults({ latency: "1ms" }, async () => {
      const opened = http2.connect(`http://127.0.0.1:${peer.port}`);
      await once(opened, "connect");
      return opened;
    });
    await expectExtra("h2c open", FIFTY, [100, 107], () => get2(session), 10);
    session.destroy();
  });

  it("makes HTTP/2 over TLS take three round trips when fresh", async () => {
    await using peer = await workerPeer("h2s");
    const fresh = async (): Promise<void> => {
      const session = http2.connect(`https://127.0.0.1:${peer.port}`, { ca: authority, servername: "localhost" });
      await get2(session);
      session.destroy();
    };
    await expectExtra("h2 over TLS fresh", FIFTY, [300, 318], fresh, 10);
  });
});

describe("one direction alone", () => {
  interface Halves {
    readonly up: number[];
    readonly down: number[];
    readonly connect: number[];
  }

  async function halves(policy: PolicyFields): Promise<Halves> {
    await using peer = await workerPeer("stamp");
    return await withFaults(policy, async () => {
      const result: Halves = { up: [], down: [], connect: [] };
      for (let flow = 0; flow < 5; flow++) {
        const began = nowMs();
        const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
        result.connect.push(nowMs() - began);
        for (let round = 0; round < 3; round++) {
          const sent = nowMs();
          const arrived = Number((await conversation.ask("x")).split(" ")[1]);
          result.up.push(arrived - sent);
          result.down.push(nowMs() - arrived);
        }
        await conversation.close();
      }
      return result;
    });
  }

  it("an uplink latency delays what the program sends, and half of the handshake", async () => {
    const { up, down, connect } = await halves({ uplink: { latency: "40ms" } });
    console.log(`uplink 40 ms: up ${figures(up)}, down ${figures(down)}, connect ${figures(connect)}`);
    expect(Math.min(...up)).toBeGreaterThanOrEqual(40);
    expect(Math.min(...connect)).toBeGreaterThanOrEqual(40);
    expect(median(up)).toBeLessThan(50);
    expect(median(down)).toBeLessThan(10);
    expect(median(connect)).toBeLessThan(60);
  });

  it("a downlink latency delays what the peer sends, and half of the handshake", async () => {
    const { up, down, connect } = await halves({ downlink: { latency: "40ms" } });
    console.log(`downlink 40 ms: up ${figures(up)}, down ${figures(down)}, connect ${figures(connect)}`);
    expect(Math.min(...down)).toBeGreaterThanOrEqual(40);
    expect(Math.min(...connect)).toBeGreaterThanOrEqual(40);
    expect(median(down)).toBeLessThan(50);
    expect(median(up)).toBeLessThan(10);
    expect(median(connect)).toBeLessThan(60);
  });

  it("what a direction says wins over the policy's own field, zero included", async () => {
    const { up, down } = await halves({ latency: "40ms", uplink: { latency: "0ms" } });
    expect(median(up)).toBeLessThan(10);
    expect(Math.min(...down)).toBeGreaterThanOrEqual(40);
  });

  it("a peer that speaks first is heard one round trip after connect() was called, as its words leave with its SYN-ACK", async () => {
    await using peer = await workerPeer("stamp", { greets: true });
    await withFaults({ latency: "40ms" }, async () => {
      const heard: number[] = [];
      for (let flow = 0; flow < 5; flow++) {
        const began = nowMs();
        const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
        await conversation.hear();
        heard.push(nowMs() - began);
        await conversation.close();
      }
      expect(Math.min(...heard)).toBeGreaterThanOrEqual(80);
      expect(median(heard)).toBeLessThan(100);
    });
  });
});

describe("jitter", () => {
  it("adds to each message between nothing and its bound, as the events say, and never less", async () => {
    await using peer = await workerPeer("stamp");
    const scope = faultScope({ uplink: { latency: "5ms", jitter: "20ms" }, seed: 11 });
    const delays: number[] = [];
    await scope.run(async () => {
      const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
      for (let round = 0; round < 60; round++) {
        const sent = nowMs();
        delays.push(Number((await conversation.ask("x")).split(" ")[1]) - sent);
      }
      await conversation.close();
    });
    const drawn = scope
      .events()
      .filter(({ fault, position }) => fault === "jitter" && position !== "connect.0")
      .map(({ delayMs }) => delayMs);
    expect(drawn.length).toBe(60);
    const late = delays.map((delay, index) => delay - 5 - drawn[index]!);
    console.log(`jitter: drawn ${figures(drawn)}, delays ${figures(delays)}, lateness ${figures(late)} ms`);
    expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
    expect(median(late)).toBeLessThan(5);
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...drawn)).toBeLessThanOrEqual(20);
    // 60 uniform draws leave no quarter of the range empty, but with a probability below 1e-6.
    for (const quarter of [0, 5, 10, 15]) expect(drawn.some((delay) => delay >= quarter && delay < quarter + 5)).toBe(true);
  });
});
