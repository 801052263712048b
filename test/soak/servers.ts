/**
 * The servers of the soak that its arguments name, in a process of their own: nothing of theirs is counted with the program's memory and handles. Sends where
 * they are, then runs until the parent has gone.
 */
import { connect } from "node:net";
import { startMariadb, startMosquitto, startNats, startPostgres, startRabbitMq, startRedis } from "../helpers/servers.ts";
import { startGrpc } from "./servers/grpc.ts";
import { startMail } from "./servers/mail.ts";
import { startDns, startEcho, startUdpEcho } from "./servers/raw.ts";
import { startHttp, startHttp2, startHttps, startWebSocket } from "./servers/web.ts";

/** Port of each server, or why there is none. */
export type Places = Readonly<Record<string, number | string>>;

/** A server in this process, or one of its own. */
type Started = { readonly port: number; readonly skipped?: undefined; stop?(): Promise<void> } | { readonly skipped: string };

const START: Readonly<Record<string, () => Promise<Started>>> = {
  http: startHttp,
  https: startHttps,
  h2: startHttp2,
  ws: startWebSocket,
  grpc: startGrpc,
  mail: startMail,
  echo: startEcho,
  activated: startEcho,
  udp: startUdpEcho,
  dns: startDns,
  postgres: startPostgres,
  mariadb: startMariadb,
  redis: startRedis,
  rabbitmq: startRabbitMq,
  mosquitto: startMosquitto,
  nats: startNats,
};

const wanted = process.argv.slice(2);
const started = await Promise.all(wanted.map(async (name) => [name, await START[name]!()] as const));
process.on("disconnect", () => {
  const stopped = Promise.all(started.map(async ([, server]) => server.skipped === undefined && server.stop?.()));
  void stopped.finally(() => process.exit(0));
});

/** How long a byte takes there and back without faultcore, on this machine and with this load: what the parent compares itself with. */
const directMs: number[] = [];
const echo = started.find(([name]) => name === "echo")?.[1];
if (echo !== undefined && echo.skipped === undefined) {
  const probe = connect({ host: "127.0.0.1", port: echo.port, noDelay: true });
  let sentAt = 0;
  probe.on("data", () => directMs.push(performance.now() - sentAt));
  setInterval(() => {
    sentAt = performance.now();
    probe.write("x");
  }, 250);
}
process.on("message", () => process.send?.(directMs));
process.send?.(Object.fromEntries(started.map(([name, server]) => [name, server.skipped ?? server.port])));
