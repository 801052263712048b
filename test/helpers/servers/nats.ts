import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { localhost } from "../certificates.mjs";
import { accepts, findProgram, start } from "./start.ts";
import type { Server, Skipped } from "./start.ts";

/** Starts nats-server, on 127.0.0.1, open to everybody; with `tls`, clients must upgrade once they have read the server's INFO. */
export async function startNats({ tls = false }: { readonly tls?: boolean } = {}): Promise<Server | Skipped> {
  const program = findProgram("nats-server", ["/usr/sbin"]);
  if (program === undefined) return { skipped: "NATS is not installed (no nats-server)" };
  const folder = mkdtempSync(join(tmpdir(), "faultcore-nats-"));
  const args = ["--addr", "127.0.0.1"];
  if (tls) {
    writeFileSync(join(folder, "cert.pem"), localhost.cert);
    writeFileSync(join(folder, "key.pem"), localhost.key, { mode: 0o600 });
    args.push("--tls", "--tlscert", "cert.pem", "--tlskey", "key.pem");
  }
  return start({
    name: "NATS",
    folder,
    command: (port) => ({ program, args: [...args, "--port", String(port)] }),
    ready: accepts,
    url: (port) => `nats://127.0.0.1:${port}`,
  });
}
