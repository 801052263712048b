// The program whose behaviour must be the same direct and steered. It runs unchanged on every supported Node version.
//   node fixture.mjs [--area name ...] [--case name ...]   prints { case: { actor: [line, …] } }
//   --stream   prints one { case, trace } per line as they end, so that a crash loses one case only
//   --list     prints { area: [case, …] }      --proof   prints how many descriptors one connection takes
import { readdirSync } from "node:fs";
import net from "node:net";
import { parseArgs } from "node:util";
import { Case, Skip } from "./kit/case.mjs";
import { describeError } from "./kit/describe.mjs";
import { stopSilentPorts } from "./kit/silent.mjs";

const caseTimeoutMs = 5000;
const options = {
  area: { type: "string", multiple: true },
  case: { type: "string", multiple: true },
  stream: { type: "boolean", default: false },
  list: { type: "boolean", default: false },
  proof: { type: "boolean", default: false },
};
const { values } = parseArgs({ options });

async function loadAreas() {
  const folder = new URL("./cases/", import.meta.url);
  const names = readdirSync(folder)
    .filter((name) => name.endsWith(".mjs"))
    .map((name) => name.slice(0, -4))
    .sort();
  const areas = new Map();
  for (const name of names) {
    if (values.area !== undefined && !values.area.includes(name)) continue;
    areas.set(name, (await import(new URL(`${name}.mjs`, folder))).cases);
  }
  return areas;
}

async function runCase(body) {
  const current = new Case();
  const onException = (error) => current.log("process", "uncaughtException", describeError(error));
  const onRejection = (error) => current.log("process", "unhandledRejection", describeError(error));
  const onWarning = ({ name, code, message }) => current.log("process", "warning", { name, code, message });
  process.on("uncaughtException", onException).on("unhandledRejection", onRejection).on("warning", onWarning);
  let timer;
  const timeout = new Promise((resolve) => {
    timer = setTimeout(() => resolve("timed out"), caseTimeoutMs);
  });
  const work = (async () => {
    await body(current);
    await current.allClosed();
    await current.quiet();
    return undefined;
  })();
  try {
    const outcome = await Promise.race([work, timeout]);
    if (outcome !== undefined) current.log("case", outcome);
  } catch (error) {
    if (error instanceof Skip) current.log("case", `skipped: ${error.message}`);
    else current.log("case", "threw", describeError(error));
  } finally {
    clearTimeout(timer);
    work.catch(() => {});
  }
  const trace = current.trace.toJSON();
  await Promise.race([current.dispose(), new Promise((resolve) => setTimeout(resolve, 1000).unref())]);
  process.off("uncaughtException", onException).off("unhandledRejection", onRejection).off("warning", onWarning);
  return trace;
}

/** A steered connection has two more ends in this process: the relay's. */
async function descriptorsOfOneConnection() {
  const folder = process.platform === "linux" ? "/proc/self/fd" : "/dev/fd";
  const count = () => readdirSync(folder).length;
  const server = net.createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const connected = async () => {
    const client = net.connect(server.address().port, "127.0.0.1");
    await Promise.all([server, client].map((end, i) => new Promise((resolve) => end.once(["connection", "connect"][i], resolve))));
    return client;
  };
  // The relay opens descriptors of its own while it starts: with one connection open it has.
  const first = await connected();
  const before = count();
  const client = await connected();
  const descriptors = count() - before;
  first.destroy();
  client.destroy();
  server.close();
  return descriptors;
}

const areas = await loadAreas();
const everyName = [...areas.values()].flatMap((cases) => Object.keys(cases));
if (new Set(everyName).size !== everyName.length) throw new Error("two cases have the same name");
const unknown = values.case?.find((name) => !everyName.includes(name));
if (unknown !== undefined) throw new Error(`no case is named "${unknown}"`);

if (values.list) {
  console.log(JSON.stringify(Object.fromEntries([...areas].map(([area, cases]) => [area, Object.keys(cases)]))));
} else if (values.proof) {
  console.log(JSON.stringify({ descriptors: await descriptorsOfOneConnection() }));
} else {
  const traces = {};
  for (const cases of areas.values()) {
    for (const [name, body] of Object.entries(cases)) {
      if (values.case !== undefined && !values.case.includes(name)) continue;
      const trace = await runCase(body);
      if (values.stream) console.log(JSON.stringify({ case: name, trace }));
      else traces[name] = trace;
    }
  }
  stopSilentPorts();
  if (!values.stream) console.log(JSON.stringify(traces, null, 2));
}
