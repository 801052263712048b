// Name lookups: what every form of them returns, calls back with and throws, and when.
import { AsyncLocalStorage } from "node:async_hooks";
import { createSocket } from "node:dgram";
import dns from "node:dns";
import promises from "node:dns/promises";
import { once } from "node:events";
import { promisify } from "node:util";
import { describeError } from "../kit/describe.mjs";

/** A DNS server that knows known.test; others do not exist. */
async function server(t, { silent = false } = {}) {
  const socket = createSocket("udp4");
  socket.on("message", (query, { port, address }) => {
    if (silent) return;
    const known = query.includes("known");
    const answer = Buffer.from(query);
    answer.writeUInt16BE(0x8180 | (known ? 0 : 3), 2);
    answer.writeUInt16BE(0, 10);
    let end = 12;
    while (answer[end] !== 0) end += answer[end] + 1;
    end += 5;
    const isA = known && answer.readUInt16BE(end - 4) === 1;
    answer.writeUInt16BE(isA ? 1 : 0, 6);
    const record = isA ? Buffer.from([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 127, 0, 0, 9]) : Buffer.alloc(0);
    socket.send(Buffer.concat([answer.subarray(0, end), record]), port, address);
  });
  socket.bind(0, "127.0.0.1");
  await once(socket, "listening");
  t.cleanup(() => new Promise((resolve) => socket.close(resolve)));
  return [`127.0.0.1:${socket.address().port}`];
}

const resolverOf = async (t, Resolver, options) => {
  const resolver = new Resolver({ timeout: 50, tries: 1 });
  resolver.setServers(await server(t, options));
  return resolver;
};

/** Logs what a callback gets, and whether it is called at once. */
function asks(t, call) {
  return new Promise((resolve) => {
    let returned = false;
    t.attempt("call", "it", () => {
      const result = call((error, ...answer) => {
        t.log("callback", returned ? "called later" : "called at once", {
          error: error ? describeError(error) : null,
          answer: JSON.stringify(answer),
        });
        resolve();
      });
      t.log("call", "result", { class: result?.constructor?.name, keys: Object.keys(result ?? {}).join(" ") });
    });
    returned = true;
  });
}

async function settles(t, call) {
  const promise = t.attempt("call", "it", call);
  t.log("call", "result", { class: promise?.constructor?.name });
  await promise?.then(
    (answer) => t.log("promise", "resolved", { answer: JSON.stringify(answer) }),
    (error) => t.logError("promise", "rejected", error),
  );
}

const impossible = `${"a".repeat(64)}.test`;
const ask = (call) => (t) => asks(t, call);
const settle = (call) => (t) => settles(t, call);
const throws = (call) => async (t) => void t.attempt("call", "it", call);

export const cases = {
  "dns.lookup finds a name": ask((done) => dns.lookup("localhost", done)),
  "dns.lookup with a family": ask((done) => dns.lookup("localhost", 4, done)),
  "dns.lookup of all": ask((done) => dns.lookup("localhost", { all: true, order: "ipv4first", family: 4 }, done)),
  "dns.lookup of an address": ask((done) => dns.lookup("127.0.0.1", { all: true }, done)),
  "dns.lookup of a short address": ask((done) => dns.lookup("127.1", done)),
  "dns.lookup does not find a name": ask((done) => dns.lookup(impossible, done)),
  "dns.lookup without a callback": throws(() => dns.lookup("localhost")),
  "dns.lookup of a bad family": throws(() => dns.lookup("localhost", { family: 7 }, () => {})),
  "dns.lookup of no text": throws(() => dns.lookup({}, () => {})),
  "dns.lookup, promisified": settle(() => promisify(dns.lookup)("localhost", 4)),
  "dns.promises.lookup finds a name": settle(() => dns.promises.lookup("localhost", 4)),
  "dns.promises.lookup of all": settle(() => promises.lookup("localhost", { all: true, family: 4 })),
  "dns.promises.lookup does not find a name": settle(() => promises.lookup(impossible)),
  "dns.promises.lookup of a bad option": throws(() => promises.lookup("localhost", { all: 1 })),
  "the functions of dns look as they do": async (t) => {
    for (const [name, fn] of Object.entries({ ...dns, promises: undefined })) {
      if (typeof fn === "function")
        t.log(name, "is", { name: fn.name, length: fn.length, keys: Reflect.ownKeys(fn).map(String).sort().join(" ") });
    }
    const { name, length } = promises.lookup;
    const { enumerable, writable, configurable } = Object.getOwnPropertyDescriptor(dns, "lookup");
    t.log("lookup", "is", { name, length, enumerable, writable, configurable });
  },
  "a lookup keeps the async context": async (t) => {
    const storage = new AsyncLocalStorage();
    await storage.run("mine", () => asks(t, (done) => dns.lookup("localhost", 4, (...answer) => done(...answer, storage.getStore()))));
  },
  "a resolver finds a name": async (t) => {
    const resolver = await resolverOf(t, dns.Resolver);
    await asks(t, (done) => resolver.resolve4("known.test", done));
    await asks(t, (done) => resolver.resolve4("known.test", { ttl: true }, done));
    await asks(t, (done) => resolver.resolveMx("known.test", done));
  },
  "a resolver does not find a name": async (t) => {
    const resolver = await resolverOf(t, dns.Resolver);
    await asks(t, (done) => resolver.resolve("unknown.test", "TXT", done));
  },
  "a resolver of promises": async (t) => {
    const resolver = await resolverOf(t, promises.Resolver);
    await settles(t, () => resolver.resolve("known.test"));
    await settles(t, () => resolver.resolve("unknown.test", "SRV"));
  },
  "a resolver whose server is silent": async (t) => {
    const resolver = await resolverOf(t, dns.Resolver, { silent: true });
    await asks(t, (done) => resolver.resolve6("known.test", done));
  },
  "a resolver that is cancelled": async (t) => {
    const resolver = await resolverOf(t, dns.Resolver, { silent: true });
    const both = [asks(t, (done) => resolver.resolve4("a.test", done)), asks(t, (done) => resolver.resolve4("b.test", done))];
    resolver.cancel();
    t.log("call", "cancelled");
    await Promise.all(both);
  },
  "a resolver of a bad type": throws(() => new dns.Resolver().resolve("known.test", "NONE", () => {})),
};
