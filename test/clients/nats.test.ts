import { connect, createInbox } from "nats";
import type { NatsConnection } from "nats";
import { expect } from "vitest";
import { authority } from "../helpers/certificates.mjs";
import { startNats } from "../helpers/servers.ts";
import { describeClient } from "./kit/matrix.ts";
import type { ClientCase } from "./kit/matrix.ts";

interface Echo {
  readonly connection: NatsConnection;
  /** It answers its own requests: two round trips, the answer being written while the request is read. */
  readonly subject: string;
}

function natsCase(name: string, tls: boolean): ClientCase<Echo> {
  return {
    name,
    start: () => startNats({ tls }),
    open: async ({ host, port, quick = false }) => {
      const connection = await connect({
        servers: `${host}:${port}`,
        // Its own resolver asks DNS servers, which do not know /etc/hosts.
        resolve: false,
        pingInterval: quick ? 400 : 60_000,
        maxPingOut: 1,
        reconnectTimeWait: 50,
        reconnectJitter: 0,
        reconnectJitterTLS: 0,
        maxReconnectAttempts: -1,
        ...(tls && { tls: { ca: authority } }),
      });
      const subject = createInbox();
      connection.subscribe(subject, { callback: (_error, message) => message.respond(message.data) });
      return { connection, subject };
    },
    // Silence is noticed when a second ping is due and the first has no answer: before the request's time is over.
    use: async ({ connection, subject }) => {
      const answer = await connection.request(subject, "hello", { timeout: 1_000 });
      expect(answer.string()).toBe("hello");
    },
    close: ({ connection }) => connection.close(),
    multiplexed: true,
    reconnects: true,
  };
}

describeClient(natsCase("nats", false));
describeClient(natsCase("nats, TLS after INFO", true));
