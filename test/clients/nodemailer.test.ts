import { setImmediate } from "node:timers/promises";
import { createTransport } from "nodemailer";
import type SMTPPool from "nodemailer/lib/smtp-pool";
import type { Transporter } from "nodemailer";
import { SMTPServer } from "smtp-server";
import { expect } from "vitest";
import { dnsCache } from "nodemailer/lib/shared";
import { authority, localhost } from "../helpers/certificates.mjs";
import { listen } from "../helpers/peers.ts";
import { started } from "./kit/http-server.ts";
import { describeClient, limitOf } from "./kit/matrix.ts";
import type { ClientCase } from "./kit/matrix.ts";

type Pool = Transporter<SMTPPool.SentMessageInfo>;

function nodemailerCase(name: string, tls: boolean): ClientCase<Pool> {
  return {
    name,
    start: async () => {
      // Else it asks the system's name server first, whatever /etc/hosts says.
      dnsCache.set("localhost", { value: { addresses: ["127.0.0.1"] }, expires: Infinity });
      const { server } = new SMTPServer({
        ...(tls ? localhost : { hideSTARTTLS: true }),
        authOptional: true,
        disableReverseLookup: true,
        onData: (stream, _session, done) => stream.on("end", done).resume(),
      });
      return started(await listen(server));
    },
    open: (at) =>
      createTransport({
        host: at.host,
        port: at.port,
        pool: true,
        requireTLS: tls,
        tls: { ca: authority, servername: "localhost" },
        socketTimeout: limitOf(at),
      }),
    use: async (pool) => {
      const { accepted } = await pool.sendMail({ from: "a@first.test", to: "b@second.test", subject: "Greetings", text: "hello" });
      expect(accepted).toEqual(["b@second.test"]);
      // Its connection is free a turn later. Who sends before that waits in the queue, and is sent in nobody's context.
      await setImmediate();
    },
    close: (pool) => pool.close(),
    keepsAddresses: true,
    forget: () => dnsCache.clear(),
  };
}

describeClient(nodemailerCase("nodemailer pool", false));
describeClient(nodemailerCase("nodemailer pool, STARTTLS", true));
