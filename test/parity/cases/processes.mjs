// What a connection does to the life of its process, and the end of a process to its connection.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { silentPorts } from "../kit/silent.mjs";

const script = fileURLToPath(new URL("../child/programs.mjs", import.meta.url));

/** Runs a program; whatever switched steering on for this process does so for that one. */
function start(t, name, port) {
  const child = spawn(process.execPath, [...process.execArgv, script, name, String(port)], { stdio: ["ignore", "pipe", "pipe"] });
  t.cleanup(() => child.kill("SIGKILL"));
  let output = "";
  let errors = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (output += text));
  child.stderr.setEncoding("utf8").on("data", (text) => (errors += text));
  const exited = new Promise((resolve) => {
    child.on("close", (code, signal) => {
      for (const line of output.split("\n").filter(Boolean)) t.log("program", line);
      for (const line of errors.split("\n")) if (/^\w*Error|^ {2}\w+: |Warning/.test(line)) t.log("program", "stderr", line);
      t.log("program", "exited", { code, signal });
      resolve();
    });
  });
  return { child, exited };
}

/** Several cases race the exit of the process against its first bytes: they say which of the server's lines count. */
const program = (name, onSocket, { allowHalfOpen = false, ...options } = {}) => async (t) => {
  const server = await t.listen(onSocket, { allowHalfOpen, watch: { addresses: false }, ...options });
  await start(t, name, server.port).exited;
  await t.allClosed();
};
const endSoon = (socket) => setTimeout(() => socket.end("time to go"), 200);

export const cases = {
  "an idle connection that is unreferenced does not keep the process": program("unref after connect"),
  "a connect that is unreferenced keeps the process until it is done": program("unref before connect"),
  "a connection that is referenced again keeps the process": program("unref and ref again", endSoon),
  "a connection keeps the process until the server ends it": program("kept alive until the server ends", endSoon),
  "what was written arrives when the process has nothing left to do": program("write and end, then nothing to do"),
  "process.exit in a write callback": program("process.exit in the write callback"),
  "process.exit right after a write": program("process.exit right after a write"),
  "process.exit right after end": program("process.exit right after end"),
  "process.exit right after destroy": program("process.exit right after destroy"),
  "process.exit before the connection is there": program("process.exit before it is connected"),
  "an error event without a listener ends the process": program("an unhandled error"),
  "an exception ends the process and its connection": program("an exception while connected"),
  "a kill ends the connection": program("killed while connected"),
  "SIGTERM ends the connection": program("terminated while connected"),
  "beforeExit and exit come as they do": program("beforeExit and exit"),
  "a connection opened in beforeExit": program("connects again in beforeExit"),
  "a connection from a worker thread": program("in a worker thread"),
  "a terminated worker thread ends its connection": program("a terminated worker thread"),
  "a blocked event loop while connecting": program("a blocked loop while it connects"),
  "a socket sent to another process": program("a socket sent to another process"),

  "what was written leaves although the event loop is blocked": async (t) => {
    const server = await t.listen();
    const { exited } = start(t, "a blocked loop after a write", server.port);
    const socket = await server.socket();
    await t.received(socket, 15);
    const ended = t.event(socket, "end").then(() => "ended");
    t.log("server", "before the program goes on", await Promise.race([ended, t.sleep(200).then(() => "data only")]));
    await exited;
  },

  "a connect to a silent peer that is unreferenced": async (t) => {
    const { ipv4 } = await silentPorts();
    await start(t, "unref while dialling a silent peer", ipv4).exited;
  },
};
