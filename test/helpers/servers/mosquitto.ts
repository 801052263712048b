import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { accepts, findProgram, start } from "./start.ts";
import type { Server, Skipped } from "./start.ts";

/** Starts Mosquitto, an MQTT 5 and 3.1.1 broker, in memory only, on 127.0.0.1, open to everybody. */
export async function startMosquitto(): Promise<Server | Skipped> {
  const program = findProgram("mosquitto", ["/usr/sbin"]);
  if (program === undefined) return { skipped: "Mosquitto is not installed (no mosquitto)" };
  const folder = mkdtempSync(join(tmpdir(), "faultcore-mqtt-"));
  const config = join(folder, "mosquitto.conf");
  return start({
    name: "Mosquitto",
    folder,
    command: (port) => {
      // As root it would change to the user `mosquitto`, who may not enter the folder: it has nothing to do there, but it says so.
      const lines = [
        `listener ${port} 127.0.0.1`,
        "allow_anonymous true",
        "persistence false",
        "log_type error",
        "user root",
        "set_tcp_nodelay true",
      ];
      writeFileSync(config, `${lines.join("\n")}\n`);
      return { program, args: ["-c", config] };
    },
    ready: accepts,
    url: (port) => `mqtt://127.0.0.1:${port}`,
  });
}
