/** Entry of the relay's thread: it only joins a `Relay` to the thread's port. */
import { receiveMessageOnPort, threadId, workerData } from "node:worker_threads";
import { PolicyTable } from "../table/table.ts";
import { keepFreedMemory } from "./freed-memory.ts";
import type { RelayInit, ToRelay } from "./protocol.ts";
import { Relay } from "./relay.ts";

const init = workerData as RelayInit;
const { port } = init;
const relay = new Relay(new PolicyTable(init.table, threadId + 1), init, {
  post: (message) => port.postMessage(message),
  receive: () => receiveMessageOnPort(port)?.message as ToRelay | undefined,
});

keepFreedMemory();
port.on("message", (message: ToRelay) => relay.handle(message));
process.once("uncaughtException", (error) => {
  relay.die();
  // Thrown again outside of this handler, so that the program's thread sees why its relay died.
  setImmediate(() => {
    throw error;
  });
});
process.once("exit", () => relay.die());
