// How much later a flow's packets are while another flow of the same program is at full speed. The packets' delay is measured one way, by
// a server in another process, so that what this program does with the bulk itself does not count.
import { once } from "node:events";
import { connect } from "node:net";
import { quantile } from "../kit/stats.mjs";
import { inMode, report, sleep, task } from "./modes.mjs";

/** Delays of so many packets, in ms. */
async function packets(port, count) {
  const delays = [];
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  let rest = Buffer.alloc(0);
  socket.on("data", (data) => {
    rest = Buffer.concat([rest, data]);
    for (; rest.length >= 8; rest = rest.subarray(8)) delays.push(Number(rest.readBigInt64LE()) / 1e6);
  });
  for (let n = 0; n < count; n++) {
    await sleep(3);
    const stamp = Buffer.alloc(8);
    stamp.writeBigInt64LE(process.hrtime.bigint());
    socket.write(stamp);
  }
  while (delays.length < count) await sleep(5);
  socket.destroy();
  return delays;
}

await inMode(async (port, proxy) => {
  // The bulk passes through: outside of the scope, or through the same Toxiproxy without a toxic.
  const bulkPort = proxy === undefined ? task.bulk : await proxy.proxy(task.bulk);
  const alone = quantile(await packets(port, task.count), 0.99);
  const openBulk = () => {
    const socket = connect({ port: bulkPort, host: "127.0.0.1" });
    socket.write("d");
    return socket;
  };
  const bulk = task.mode === "policy" ? (await import("faultcore")).withoutFaults(openBulk) : openBulk();
  let bytes = 0;
  bulk.on("data", (data) => (bytes += data.length));
  await once(bulk, "data");
  const start = performance.now();
  bytes = 0;
  const beside = quantile(await packets(port, task.count), 0.99);
  report({ extraMs: beside - alone, bulkMbPerS: bytes / 1e3 / (performance.now() - start) });
  bulk.destroy();
});
