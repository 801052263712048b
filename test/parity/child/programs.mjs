// Small clients whose process is part of what is compared: node programs.mjs <name> <port>.
import { writeSync } from "node:fs";
import net from "node:net";
import { Worker, isMainThread } from "node:worker_threads";

const [name, portText] = process.argv.slice(2);
const port = Number(portText);
const host = "127.0.0.1";
/** Synchronous, because several of these programs end abruptly. */
const say = (line) => writeSync(1, `${line}\n`);
const block = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

function open() {
  const socket = net.connect(port, host);
  for (const event of ["connect", "end"]) socket.on(event, () => say(event));
  socket.on("close", (hadError) => say(`close ${hadError}`));
  socket.on("error", (error) => say(`error ${error.code}`));
  socket.on("data", (chunk) => say(`data ${String(chunk)}`));
  return socket;
}

const programs = {
  "unref after connect": () => {
    const socket = open();
    socket.on("connect", () => socket.unref());
  },
  "unref before connect": () => {
    open().unref();
  },
  "unref and ref again": () => {
    const socket = open().unref();
    socket.ref();
  },
  "unref while dialling a silent peer": () => {
    open().unref();
    setTimeout(() => {
      say("timer");
      process.exit(3);
    }, 300);
  },
  "kept alive until the server ends": () => {
    open();
  },
  "write and end, then nothing to do": () => {
    open().end("x".repeat(500_000));
  },
  "process.exit in the write callback": () => {
    open().write("written", () => process.exit(5));
  },
  "process.exit right after a write": () => {
    const socket = open();
    socket.on("connect", () => {
      socket.write("written");
      process.exit(6);
    });
  },
  "process.exit right after end": () => {
    const socket = open();
    socket.on("connect", () => {
      socket.end("ended");
      process.exit(7);
    });
  },
  "process.exit right after destroy": () => {
    const socket = open();
    socket.on("connect", () => {
      socket.write("written");
      socket.destroy();
      process.exit(8);
    });
  },
  "process.exit before it is connected": () => {
    open().write("never sent");
    process.exit(9);
  },
  "an unhandled error": () => {
    net.connect(1, host);
  },
  "an exception while connected": () => {
    open().on("connect", () => {
      throw new Error("on purpose");
    });
  },
  "killed while connected": () => {
    open().on("connect", () => process.kill(process.pid, "SIGKILL"));
  },
  "terminated while connected": () => {
    open().on("connect", () => process.kill(process.pid, "SIGTERM"));
  },
  "a blocked loop after a write": () => {
    const socket = open();
    socket.on("connect", () => {
      socket.write("before blocking");
      say("blocking");
      block(600);
      say("blocked");
      socket.end();
    });
  },
  "a blocked loop while it connects": () => {
    open().end("early");
    process.nextTick(() => setImmediate(() => block(200)));
  },
  "beforeExit and exit": () => {
    process.on("beforeExit", (code) => say(`beforeExit ${code}`)).on("exit", (code) => say(`exit ${code}`));
    open().end("bye");
  },
  "connects again in beforeExit": () => {
    process.once("beforeExit", () => open().end("second"));
    open().end("first");
  },
  "in a worker thread": () => {
    const worker = new Worker(new URL(import.meta.url), { argv: ["inside a worker thread", portText] });
    worker.on("exit", (code) => say(`worker exit ${code}`));
  },
  "inside a worker thread": () => {
    open().end(`from the ${isMainThread ? "main thread" : "worker"}`);
  },
  "a terminated worker thread": () => {
    const worker = new Worker(new URL(import.meta.url), { argv: ["inside a worker that stays", portText] });
    worker.on("message", () => void worker.terminate());
    worker.on("exit", (code) => say(`worker exit ${code}`));
  },
  "inside a worker that stays": async () => {
    const { parentPort } = await import("node:worker_threads");
    const socket = net.connect(port, host);
    socket.on("connect", () => socket.write("hello", () => parentPort.postMessage("connected")));
  },
  "a socket sent to another process": async () => {
    const { fork } = await import("node:child_process");
    const child = fork(new URL(import.meta.url), ["inside a process that gets a socket", portText]);
    const socket = net.connect({ port, host, pauseOnConnect: true });
    socket.on("connect", () => child.send("socket", socket));
    child.on("exit", (code) => say(`child exit ${code}`));
  },
  "inside a process that gets a socket": () => {
    process.on("message", (_, socket) => {
      socket.on("close", () => process.disconnect());
      socket.end("from the other process");
      socket.resume();
    });
  },
};

await programs[name]();
