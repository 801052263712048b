import { withFaults } from "faultcore";
import { Redis } from "ioredis";
import { createClient } from "redis";
import { expect, onTestFinished } from "vitest";
import { timed } from "../helpers/measure.ts";
import { startRedis } from "../helpers/servers.ts";
import { describeClient, limitOf } from "./kit/matrix.ts";
import type { At, ClientCase } from "./kit/matrix.ts";
import { describeOn, oneServer } from "./kit/one-server.ts";
import { expectLargeResultIntact, expectOneRoundTripMore } from "./kit/slow-link.ts";

const start = oneServer(startRedis);

const ioredis = (enableAutoPipelining: boolean): Omit<ClientCase<Redis>, "name" | "multiplexed"> => ({
  start,
  open: async (at) => {
    // Without commandTimeout, a command on a silent connection waits for ever.
    const client = new Redis({ host: at.host, port: at.port, enableAutoPipelining, commandTimeout: limitOf(at), lazyConnect: true });
    client.on("error", () => {});
    await client.connect();
    return client;
  },
  use: async (client) => expect(await client.incrby("counter", 0)).toBe(0),
  close: (client) => client.disconnect(),
  reconnects: true,
});

describeClient<Redis>({ ...ioredis(false), name: "ioredis", multiplexed: "apart" });
// The commands of one turn of the event loop are one write, of the first caller.
describeClient<Redis>({ ...ioredis(true), name: "ioredis, auto-pipelining", multiplexed: true });

describeClient({
  name: "redis",
  start,
  open: async (at) => {
    // Of what was written, only socketTimeout gets tired; it ends idle connections too, and the client with them.
    const client = createClient({ socket: { host: at.host, port: at.port } });
    client.on("error", () => {});
    return client.connect();
  },
  use: async (client) => expect(await client.incrBy("counter", 0)).toBe(0),
  close: (client) => client.destroy(),
  multiplexed: true,
  reconnects: true,
});

describeOn("Redis", start, (it) => {
  const open = async (at: At): Promise<Redis> => {
    const client = new Redis({ host: at.host, port: at.port });
    onTestFinished(() => client.disconnect());
    await client.ping();
    return client;
  };

  it("a command takes one round trip more on a slow link, its result is right, and the next one is fast", async (at) => {
    const client = await open(at);
    await client.set("key", "value");
    await expectOneRoundTripMore("ioredis", async () => expect(await client.get("key")).toBe("value"));
  });

  it("a pipeline of 100 commands costs round trips, not one for each command", async (at) => {
    const client = await open(at);
    const { ms, value } = await timed(() =>
      withFaults({ latency: "50ms" }, () => {
        const pipeline = client.pipeline();
        for (let n = 0; n < 100; n++) pipeline.incr("pipelined");
        return pipeline.exec();
      }),
    );
    expect(value?.at(-1)).toEqual([null, 100]);
    expect(ms).toBeGreaterThanOrEqual(100);
    expect(ms).toBeLessThan(1000);
  });

  it("5 MB come back byte for byte", async (at) => {
    const client = await open(at);
    await expectLargeResultIntact(async (text) => {
      await client.set("large", text);
      return client.get("large");
    });
  });
});
