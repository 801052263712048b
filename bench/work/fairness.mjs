// How much later a flow's packets are while another flow of the same program is at full speed. The packets' delay is measured one way, by
// a server in another process, so that what this program does with the bulk itself does not count. It reads the bulk into one buffer: the
// 64 KiB that Node allocates for each read otherwise keep V8's threads busy, and packets waiting for a processor in every mode.
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
  // Before it measures, it warms up: p99 would tell of V8's compilers.
  await packets(port, task.count / 2);
  const alone = quantile(await packets(port, task.count), 0.99);
  let bytes = 0;
  let begun;
  const flowing = new Promise((done) => (begun = done));
  const callback = (count) => {
    bytes += count;
    begun();
    return true;
  };
  const openBulk = () => {
    const socket = connect({ port: bulkPort, host: "127.0.0.1", onread: { buffer: Buffer.allocUnsafe(65_536), callback } });
    socket.write("d");
    return socket;
  };
  const bulk = task.mode === "policy" ? (await import("faultcore")).withoutFaults(openBulk) : openBulk();
  await flowing;
  await packets(port, task.count / 2);
  const start = performance.now();
  bytes = 0;
  const beside = quantile(await packets(port, task.count), 0.99);
  report({ extraMs: beside - alone, bulkMbPerS: bytes / 1e3 / (performance.now() - start) });
  bulk.destroy();
});
