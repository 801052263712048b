// How long must a gRPC deadline be where each way takes up to 150 ms more? And does the server know that nobody waits any more?
import assert from "node:assert/strict";
import { promisify } from "node:util";
import grpc from "@grpc/grpc-js";
import { faultScope, install } from "faultcore";

install({ steer: "always" }); // the channels connect before the calls are faulted
const bytes = { requestSerialize: Buffer.from, requestDeserialize: String, responseSerialize: Buffer.from, responseDeserialize: String };
const definition = { Echo: { path: "/demo.Echo/Echo", requestStream: false, responseStream: false, ...bytes } };
const Client = grpc.makeGenericClientConstructor(definition, "Echo");

let handled = 0;
const server = new grpc.Server();
server.addService(definition, { Echo: (call, reply) => reply(null, `${call.request} ${++handled}`) });
const port = await promisify(server.bindAsync).call(server, "127.0.0.1:0", grpc.ServerCredentials.createInsecure());

const options = { "grpc.use_local_subchannel_pool": 1 }; // a connection for each client
const clients = Array.from({ length: 20 }, () => new Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), options));
await Promise.all(clients.map((client) => promisify(client.waitForReady).call(client, Date.now() + 5000)));

async function failures(deadlineMs) {
  const scope = faultScope({ jitter: "150ms", seed: 7 });
  const call = (client) => promisify(client.Echo).call(client, "hello", { deadline: Date.now() + deadlineMs });
  const results = await scope.run(() => Promise.allSettled(clients.map(call)));
  const failed = results.filter(({ reason }) => reason?.code === grpc.status.DEADLINE_EXCEEDED).length;
  console.log(`deadline ${deadlineMs} ms: about ${failed} of 20 calls failed with DEADLINE_EXCEEDED`);
  return failed;
}

const [mean, long] = [await failures(150), await failures(3000)];
assert(mean > 0 && long === 0, "only a deadline beyond the longest way and back is met by all");
// What came too late was done all the same: a call that is repeated after its deadline had better be idempotent.
console.log(`the server handled ${handled} of 40 calls`);
assert.equal(handled, 40);
for (const client of clients) client.close();
server.forceShutdown();
