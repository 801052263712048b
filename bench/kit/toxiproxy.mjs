// Toxiproxy on the same work: a server of our own on free ports, spoken to over its HTTP API. Nothing here needs it: without it, its
// column stays empty.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { accessSync, constants } from "node:fs";
import { createServer } from "node:net";
import { delimiter, join } from "node:path";

const START_LIMIT_MS = 10_000;

/** `TOXIPROXY_SERVER`, or `toxiproxy-server` on PATH, or undefined. */
export function findToxiproxy() {
  if (process.env.TOXIPROXY_SERVER) return process.env.TOXIPROXY_SERVER;
  const name = process.platform === "win32" ? "toxiproxy-server.exe" : "toxiproxy-server";
  for (const folder of (process.env.PATH ?? "").split(delimiter)) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this folder
    }
  }
  return undefined;
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return port;
}

async function versionOf(api, child) {
  for (const until = Date.now() + START_LIMIT_MS; Date.now() < until; await new Promise((done) => setTimeout(done, 20))) {
    if (child.exitCode !== null) break;
    const response = await fetch(`${api}/version`).catch(() => undefined);
    if (response?.ok) return (await response.json()).version;
  }
  throw new Error("toxiproxy-server did not start");
}

async function call(api, path, body) {
  const response = await fetch(`${api}${path}`, { method: "POST", body: JSON.stringify(body), headers: { connection: "close" } });
  if (!response.ok) throw new Error(`Toxiproxy: ${await response.text()}`);
  return response.json();
}

/** Starts a server. Close it when the work is done; it also ends with this process. */
export async function startToxiproxy(path) {
  const port = await freePort();
  const child = spawn(path, ["-host", "127.0.0.1", "-port", String(port)], {
    stdio: "ignore",
    env: { ...process.env, LOG_LEVEL: "error" },
  });
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const failed = once(child, "error").then(([error]) => Promise.reject(error));
  const api = `http://127.0.0.1:${port}`;
  const version = await Promise.race([versionOf(api, child), failed]);
  let proxies = 0;
  return {
    version,
    pid: child.pid,
    /** A proxy in front of this port, with these toxics: its own port. */
    async proxy(upstream, toxics = []) {
      const name = `bench${proxies++}`;
      const { listen } = await call(api, "/proxies", { name, listen: "127.0.0.1:0", upstream: `127.0.0.1:${upstream}` });
      for (const toxic of toxics) await call(api, `/proxies/${name}/toxics`, toxic);
      return Number(listen.slice(listen.lastIndexOf(":") + 1));
    },
    close() {
      process.off("exit", kill);
      kill();
    },
  };
}
