import { existsSync, mkdirSync, mkdtempSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accepts, findProgram, start } from "./start.ts";
import type { Server, Skipped } from "./start.ts";

/** The script of the distribution itself, wherever it is: Debian's, in PATH, refuses other users than root and rabbitmq, and uses their folders. */
function scriptFolders(): string[] {
  const base = "/usr/lib/rabbitmq/lib";
  return existsSync(base) ? readdirSync(base).map((name) => join(base, name, "sbin")) : [];
}

/**
 * Erlang without distribution: RabbitMQ starts it, and with it `epmd`, a daemon that outlives everybody, only if the node has no name
 * yet; one that does not listen never asks for a port, and the port that others would find it at is said here.
 */
const NO_DISTRIBUTION = "-sname faultcore@localhost -dist_listen false -start_epmd false -erl_epmd_port 1";

/** Starts RabbitMQ, empty, on 127.0.0.1: user and password `guest`. Takes some 4 s of one processor. */
export async function startRabbitMq(): Promise<Server | Skipped> {
  const script = findProgram("rabbitmq-server", scriptFolders());
  if (script === undefined || findProgram("erl", []) === undefined) return { skipped: "RabbitMQ is not installed (no rabbitmq-server)" };
  const folder = mkdtempSync(join(tmpdir(), "faultcore-rabbitmq-"));
  const inside = (name: string): string => join(folder, name);
  // No plugins: looking for them takes a second.
  mkdirSync(inside("plugins"));
  return start({
    name: "RabbitMQ",
    folder,
    command: (port) => ({
      program: script,
      args: [],
      env: {
        PATH: process.env["PATH"],
        LANG: "C.UTF-8",
        // For the cookie.
        HOME: folder,
        // The script becomes Erlang, instead of waiting for it.
        detached: "1",
        RABBITMQ_NODENAME: "faultcore@localhost",
        RABBITMQ_NODE_IP_ADDRESS: "127.0.0.1",
        RABBITMQ_NODE_PORT: String(port),
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: `${NO_DISTRIBUTION} +S 1:1`,
        RABBITMQ_LOGS: "-",
        RABBITMQ_LOG: "error",
        RABBITMQ_MNESIA_BASE: inside("data"),
        RABBITMQ_LOG_BASE: inside("log"),
        RABBITMQ_PLUGINS_DIR: inside("plugins"),
        RABBITMQ_ENABLED_PLUGINS_FILE: inside("enabled-plugins"),
        RABBITMQ_CONFIG_FILE: inside("rabbitmq"),
        RABBITMQ_CONFIG_FILES: inside("conf.d"),
        RABBITMQ_ADVANCED_CONFIG_FILE: inside("advanced"),
        RABBITMQ_CONF_ENV_FILE: inside("env"),
        RABBITMQ_GENERATED_CONFIG_DIR: inside("generated"),
        RABBITMQ_PID_FILE: inside("pid"),
      },
    }),
    ready: accepts,
    // It has nothing to save, and takes seconds to say good-bye.
    endSignal: "SIGKILL",
    url: (port) => `amqp://127.0.0.1:${port}`,
  });
}
