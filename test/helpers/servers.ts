/**
 * Throw-away servers for tests: real ones, on a free loopback port, gone when stopped, when the test fails and when the
 * process exits. A machine without the server gives `{ skipped: reason }`, and the caller prints the reason.
 */
export { startMariadb } from "./servers/mariadb.ts";
export { startMosquitto } from "./servers/mosquitto.ts";
export { startNats } from "./servers/nats.ts";
export { startPostgres } from "./servers/postgres.ts";
export { startRabbitMq } from "./servers/rabbitmq.ts";
export { startRedis } from "./servers/redis.ts";
export type { Server, Skipped } from "./servers/start.ts";
