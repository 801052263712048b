import { once } from "node:events";
import { connect } from "node:net";
import { Worker } from "node:worker_threads";
import { expect, it } from "vitest";
import { openFlow, publishBinding } from "../../src/table/flows.ts";
import { PolicyTable } from "../../src/table/table.ts";

const fixture = (name: string): URL => new URL(`../fixtures/table/${name}`, import.meta.url);

it("threads that open, end and read scopes at the same time never see half a row", async () => {
  const table = PolicyTable.create(1);
  const shared = new SharedArrayBuffer(8 + 4 * 16);
  const stop = new Int32Array(shared, 0, 1);
  const start = (role: string): Worker =>
    new Worker(fixture("torture.mjs"), { workerData: { buffer: table.buffer, shared, role, rounds: 60_000 } });
  const readers = [start("reader"), start("reader")];
  const writers = [start("writer"), start("writer")];
  const results = readers.map((reader) => once(reader, "message"));
  await Promise.all(writers.map((writer) => once(writer, "message")));
  Atomics.store(stop, 0, 1);
  for (const [result] of (await Promise.all(results)) as [{ torn?: string; whole: number; stale: number }][]) {
    expect(result.torn).toBeUndefined();
    // Both outcomes must have occurred, or nothing was put to the test.
    expect(result.whole).toBeGreaterThan(100);
    expect(result.stale).toBeGreaterThan(100);
  }
  expect(table.scopesLive()).toBe(0);
  await Promise.all([...readers, ...writers].map((worker) => worker.terminate()));
});

it("bytes never overtake their binding: 100,000 bindings, each published just before its byte", async () => {
  const table = PolicyTable.create(1);
  const flow = openFlow(table);
  const reader = new Worker(fixture("binding-reader.mjs"), { workerData: { buffer: table.buffer, flow } });
  const [{ port }] = (await once(reader, "message")) as [{ port: number }];
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  await once(socket, "connect");
  const byte = Buffer.alloc(1);
  for (let sequence = 0; sequence < 100_000;) {
    // The ring holds four: what does not fit yet waits for the reader instead of going by message, to put the ring itself to the test.
    if (publishBinding(table, flow, { sequence, scope: (sequence & 0xff) + 1, offset: sequence, flowHash: 1n, ordinal: 0 })) {
      socket.write(byte);
      sequence++;
    } else await new Promise((resume) => setImmediate(resume));
  }
  socket.end();
  const [{ stale, offset, next }] = (await once(reader, "message")) as [{ stale: number; offset: number; next: number }];
  expect({ stale, offset, next }).toEqual({ stale: 0, offset: 100_000, next: 100_000 });
  await reader.terminate();
}, 60_000);
