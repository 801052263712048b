/** gRPC and mail. */
import { createHash } from "node:crypto";
import grpc from "@grpc/grpc-js";
import nodemailer from "nodemailer";
import { authority } from "../../helpers/certificates.mjs";
import { OPERATION_MS, same, within } from "../client.ts";
import type { Client } from "../client.ts";
import { EchoClient } from "../echo-service.ts";

interface Echo extends grpc.Client {
  once(text: string, options: grpc.CallOptions, done: grpc.requestCallback<string>): grpc.ClientUnaryCall;
  parts(text: string, options: grpc.CallOptions): grpc.ClientReadableStream<string>;
}
const KEEPALIVE_MS = 2_000;

const grpcJs: Client = {
  name: "@grpc/grpc-js",
  server: "grpc",
  pooled: false,
  // Its keep-alive has noticed the silence.
  ended: /UNAVAILABLE/,
  connections: 10,
  open: ({ host, port }) => {
    const client = new EchoClient(`${host}:${port}`, grpc.credentials.createInsecure(), {
      // Channels to one place share connections otherwise.
      "grpc.use_local_subchannel_pool": 1,
      "grpc.enable_retries": 0,
      "grpc.keepalive_time_ms": KEEPALIVE_MS,
      "grpc.keepalive_timeout_ms": KEEPALIVE_MS,
      "grpc.keepalive_permit_without_calls": 1,
    }) as unknown as Echo;
    const options = (): grpc.CallOptions => ({ deadline: Date.now() + OPERATION_MS });
    const once = (text: string): Promise<string> =>
      new Promise((resolve, reject) => {
        client.once(text, options(), (error, answer) => (error === null ? resolve(answer ?? "") : reject(error)));
      });
    const parts = async (text: string): Promise<string> => {
      let got = "";
      for await (const part of client.parts(text, options()) as AsyncIterable<string>) got += part;
      return got;
    };
    let calls = 0;
    return {
      use: async (text) => same(text, await (calls++ % 2 === 0 ? once(text) : parts(text))),
      close: () => client.close(),
      destroy: () => client.close(),
    };
  },
};

const mail: Client = {
  name: "nodemailer, STARTTLS",
  server: "mail",
  // A transport is a pool of one connection here.
  pooled: false,
  connections: 4,
  open: ({ host, port }) => {
    const transport = nodemailer.createTransport({
      host,
      port,
      pool: true,
      maxConnections: 1,
      maxMessages: Infinity,
      requireTLS: true,
      tls: { ca: authority, servername: "localhost" },
      connectionTimeout: OPERATION_MS,
      greetingTimeout: OPERATION_MS,
      // What is closed waits for the mail that is under way: for ever, on a silent connection.
      socketTimeout: 3 * OPERATION_MS,
    });
    transport.on("error", () => {});
    return {
      use: async (text) => {
        const body = Buffer.from(text).toString("base64").replaceAll(/.{76}/g, "$&\r\n");
        const envelope = { from: "a@soak.test", to: "b@soak.test" };
        const mailed = transport.sendMail({ envelope, raw: `Subject: soak\r\n\r\n${body}\r\n` });
        const { response } = await within(2 * OPERATION_MS, mailed);
        same(createHash("sha256").update(text).digest("hex"), response.replace(/^250 /, ""));
      },
      close: () => transport.close(),
      destroy: () => transport.close(),
    };
  },
};

export const callClients: readonly Client[] = [grpcJs, mail];
