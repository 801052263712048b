// Does a client that retries survive a network that refuses three connections in ten?
import { createServer } from "node:http";
import { faultScope } from "faultcore";

const server = createServer((_request, response) => response.end("ok")).listen(0, "127.0.0.1");
await new Promise((resolve) => server.once("listening", resolve));
const url = `http://127.0.0.1:${server.address().port}/`;

async function getWithRetry(attempts) {
  for (let attempt = 1; ; attempt++) {
    try {
      // A connection for each request: the policy below fails connects.
      return await (await fetch(url, { headers: { connection: "close" } })).text();
    } catch (error) {
      if (attempt === attempts) throw error;
    }
  }
}

for (const attempts of [1, 2, 4]) {
  const scope = faultScope({ connectionError: { kind: "refused", prob: "30%" }, seed: 7 });
  const results = await scope.run(() => Promise.allSettled(Array.from({ length: 20 }, () => getWithRetry(attempts))));
  const failed = results.filter(({ status }) => status === "rejected").length;
  console.log(`${attempts} attempt(s): ${failed} of 20 calls failed, ${scope.report().injected} connections were refused`);
}
server.close();
