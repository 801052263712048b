import { once } from "node:events";
import http2 from "node:http2";
import type { ClientHttp2Session } from "node:http2";
import { text } from "node:stream/consumers";
import { expect } from "vitest";
import { authority, localhost } from "../helpers/certificates.mjs";
import { listen } from "../helpers/peers.ts";
import { started } from "./kit/http-server.ts";
import { describeClient, limitOf } from "./kit/matrix.ts";
import type { ClientCase } from "./kit/matrix.ts";

/** A session is one connection, and does not connect again: the next use does. */
interface Sessions {
  readonly url: string;
  readonly limitMs: number;
  session: ClientHttp2Session;
}

async function connect(sessions: Sessions): Promise<void> {
  sessions.session = http2.connect(sessions.url, { ca: authority, servername: "localhost" });
  await once(sessions.session, "connect");
  sessions.session.on("error", () => {});
}

async function get({ session, limitMs }: Sessions): Promise<string> {
  const stream = session.request({ ":path": "/" });
  // Node only tells: what is to happen is the program's affair.
  stream.setTimeout(limitMs, () => stream.destroy(new Error("timeout")));
  return text(stream);
}

function http2Case(name: string, scheme: "http" | "https"): ClientCase<Sessions> {
  return {
    name,
    start: async () => {
      const server = scheme === "https" ? http2.createSecureServer(localhost) : http2.createServer();
      server.on("stream", (stream) => {
        stream.on("error", () => {});
        stream.respond();
        stream.end("hello");
      });
      server.on("sessionError", () => {});
      return started(await listen(server));
    },
    open: async (at) => {
      const sessions = { url: `${scheme}://${at.host}:${at.port}`, limitMs: limitOf(at) } as Sessions;
      await connect(sessions);
      return sessions;
    },
    use: async (sessions) => {
      if (sessions.session.closed || sessions.session.destroyed) await connect(sessions);
      expect(await get(sessions)).toBe("hello");
    },
    close: ({ session }) => session.destroy(),
    multiplexed: "apart",
  };
}

describeClient(http2Case("node:http2", "https"));
describeClient(http2Case("node:http2, without TLS", "http"));
