import { Client, ChannelCredentials } from "@grpc/grpc-js";
import { faultScope, install, reset, uninstall } from "faultcore";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { authority } from "../helpers/certificates.mjs";
import { COUNT, ECHO, bytes, startGrpc } from "./kit/grpc-server.ts";
import { startLink } from "./kit/link.ts";
import type { Link } from "./kit/link.ts";
import { describeClient, limitOf } from "./kit/matrix.ts";
import type { ClientCase } from "./kit/matrix.ts";
import { outcomeOf } from "./kit/outcome.ts";
import { timed } from "../helpers/measure.ts";

interface Channel {
  readonly client: Client;
  readonly limitMs: number;
}

const options = {
  "grpc.ssl_target_name_override": "localhost",
  // It would ask the system's name server for a TXT record too.
  "grpc.service_config_disable_resolution": 1,
  // Without it, all clients of an address share one connection.
  "grpc.use_local_subchannel_pool": 1,
  "grpc.initial_reconnect_backoff_ms": 100,
  "grpc.max_reconnect_backoff_ms": 100,
  "grpc.dns_min_time_between_resolutions_ms": 0,
};

const credentials = (tls: boolean): ChannelCredentials =>
  tls ? ChannelCredentials.createSsl(Buffer.from(authority)) : ChannelCredentials.createInsecure();

const echo = ({ client, limitMs }: Channel): Promise<string> =>
  new Promise((resolve, reject) => {
    client.makeUnaryRequest(ECHO, bytes, bytes, Buffer.from("hello"), { deadline: Date.now() + limitMs }, (error, answer) => {
      if (error === null) resolve(String(answer));
      else reject(error);
    });
  });

function grpcCase(name: string, tls: boolean): ClientCase<Channel> {
  return {
    name,
    start: () => startGrpc(tls),
    open: async (at) => {
      const client = new Client(`${at.host}:${at.port}`, credentials(tls), options);
      // It connects within the time of its first call.
      await echo({ client, limitMs: 10_000 });
      return { client, limitMs: limitOf(at) };
    },
    use: async (channel) => expect(await echo(channel)).toBe("hello"),
    close: ({ client }) => client.close(),
    multiplexed: "apart",
    keepsAddresses: true,
  };
}

describeClient(grpcCase("@grpc/grpc-js", false));
describeClient(grpcCase("@grpc/grpc-js, TLS", true));

describe("a stream of @grpc/grpc-js", () => {
  const clients: Client[] = [];
  const links: Link[] = [];
  let server: Awaited<ReturnType<typeof startGrpc>>;

  /** A client whose connection is there. */
  const open = async (): Promise<{ readonly client: Client; readonly link: Link }> => {
    const link = await startLink(server.port);
    links.push(link);
    const client = new Client(`127.0.0.1:${link.port}`, credentials(true), options);
    clients.push(client);
    await echo({ client, limitMs: 10_000 });
    return { client, link };
  };

  beforeAll(async () => {
    install({ steer: "always" });
    server = await startGrpc(true);
  });
  afterAll(async () => {
    for (const client of clients) client.close();
    for (const link of links) await link[Symbol.asyncDispose]();
    await server.stop();
    reset();
    uninstall();
  });

  /** The first byte of each message; `seen` is called for each. */
  async function count(client: Client, messages: number, seen = (_sofar: number): void => {}, limitMs = 10_000): Promise<number[]> {
    const call = client.makeServerStreamRequest(COUNT, bytes, bytes, Buffer.from(String(messages)), { deadline: Date.now() + limitMs });
    const numbers: number[] = [];
    for await (const message of call as AsyncIterable<Buffer>) {
      expect(message).toHaveLength(1_000);
      seen(numbers.push(message[0]!));
    }
    return numbers;
  }

  it.concurrent("takes the time that its bytes need", async () => {
    const { client } = await open();
    const scope = faultScope({ latency: "20ms", rate: "800kbps" });
    const { ms, value } = await timed(() => scope.run(() => count(client, 30)));
    expect(value).toEqual(Array.from({ length: 30 }, (_, index) => 30 - index));
    // 30 kB at 100 kB/s, there and back.
    expect(ms).toBeGreaterThanOrEqual(340);
    scope.assertInjected("rate");
  });

  it.concurrent("ends in its midst when the deadline does", async () => {
    const { client } = await open();
    let received = 0;
    const scope = faultScope({ rate: "800kbps" });
    const counted = scope.run(() => count(client, 250, (sofar) => (received = sofar), 600));
    await expect(counted).rejects.toMatchObject({ code: 4, details: expect.stringContaining("Deadline exceeded") });
    expect(received).toBeGreaterThan(0);
    expect(received).toBeLessThan(250);
  });

  it.concurrent("is reset in its midst, as on a network that does so", async () => {
    const real = await open();
    const injected = await open();
    const scope = faultScope({ halfOpen: { after: "20kb", error: "reset" } });
    let received = 0;
    const outcomes = await Promise.all([
      // More than the window of the stream: the rest follows when the first messages have been read.
      outcomeOf(() => count(real.client, 2_000, () => real.link.spoil("reset")), 10_000),
      outcomeOf(() => scope.run(() => count(injected.client, 2_000, (sofar) => (received = sofar))), 10_000),
    ]);
    expect(outcomes[1]).toEqual(outcomes[0]);
    expect(outcomes[1]).toMatchObject({ error: { code: 14 } });
    expect(received).toBeGreaterThan(0);
    expect(received).toBeLessThan(20);
    scope.assertInjected("half_open");
  });
});
