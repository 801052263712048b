// The processes of a run: one server for all, and one process for each piece of work.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const LIMIT_MS = 120_000;
const script = (name) => fileURLToPath(new URL(`../work/${name}.mjs`, import.meta.url));

/** Runs one piece of work in a process of its own, and returns the object that it prints. */
export async function measure(work, task) {
  const child = spawn(process.execPath, [script(work), JSON.stringify(task)], { stdio: ["ignore", "pipe", "pipe"] });
  const timer = setTimeout(() => child.kill("SIGKILL"), LIMIT_MS);
  let text = "";
  let errors = "";
  child.stdout.on("data", (chunk) => (text += chunk));
  child.stderr.on("data", (chunk) => (errors += chunk));
  const [code, signal] = await once(child, "close");
  clearTimeout(timer);
  if (code !== 0) throw new Error(`${work} ${JSON.stringify(task)} ended with ${code ?? signal}\n${errors.slice(0, 2000)}`);
  return JSON.parse(text);
}

/** The other side of all work. `quiet` answers what must not wait behind somebody else's bulk. */
export async function startServers() {
  const children = ["server", "server"].map((name) => spawn(process.execPath, [script(name)], { stdio: ["ignore", "pipe", "inherit"] }));
  const [busy, quiet] = await Promise.all(
    children.map(async ({ stdout }) => JSON.parse((await once(stdout.setEncoding("utf8"), "data"))[0])),
  );
  return {
    ports: { ...busy, stamp: quiet.stamp },
    stop: () => {
      for (const child of children) child.kill();
    },
  };
}
