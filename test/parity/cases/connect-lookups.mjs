// Names, custom lookups and the race between several addresses.
import net from "node:net";
import { describeError } from "../kit/describe.mjs";
import { closedPort } from "../kit/case.mjs";
import { silentPorts } from "../kit/silent.mjs";

const host = "service.test";
const v4 = { address: "127.0.0.1", family: 4 };
const v6 = { address: "::1", family: 6 };

/** A lookup that logs what it was asked and answers with these addresses, in the form that the caller wants. */
function lookupOf(t, addresses, { defer = setImmediate, error } = {}) {
  return (name, options, callback) => {
    const { family, hints, all } = options;
    t.log("lookup", "asked", { name, family, hints, all });
    defer(() => {
      if (error !== undefined) callback(error);
      else if (all) callback(null, addresses);
      else callback(null, addresses[0].address, addresses[0].family);
    });
  };
}

const notFound = () =>
  Object.assign(new Error(`getaddrinfo ENOTFOUND ${host}`), { errno: -3008, code: "ENOTFOUND", syscall: "getaddrinfo", hostname: host });
const now = (fn) => fn();

/** Watched before it connects: a lookup that answers at once would be missed otherwise. */
function dial(t, options) {
  return t.watch(new net.Socket(), "client").connect(options);
}

/** Talks to an echo server through a lookup with these answers. */
const echo =
  (addresses, { server: serverOptions, lookup, ...options } = {}) =>
  async (t) => {
    const server = await t.echo(serverOptions);
    const socket = dial(t, { port: server.port, host, ...options, lookup: lookupOf(t, addresses, lookup) });
    await t.talk(socket);
  };

/** Nobody listens: the trace is that of the failure. */
const fails =
  (addresses, { lookup, port = closedPort, ...options } = {}) =>
  async (t) => {
    dial(t, { port, host, ...options, lookup: lookupOf(t, addresses, lookup) });
  };

export const cases = {
  "a lookup that answers at once": echo([v4], { lookup: { defer: now } }),
  "a lookup that answers in a microtask": echo([v4], { lookup: { defer: queueMicrotask } }),
  "a lookup that answers later": echo([v4], { lookup: { defer: (fn) => setTimeout(fn, 20) } }),
  "a lookup for family 4": echo([v4], { family: 4 }),
  "a lookup for family 6": echo([v6], { family: 6, server: { host: "::1" } }),
  "a lookup with hints": echo([v4], { family: 4, hints: 0 }),
  "a lookup with autoSelectFamily off": echo([v4], { autoSelectFamily: false }),
  "several answers with autoSelectFamily off": echo([v4, v6], { autoSelectFamily: false }),
  "one answer in a list": echo([v4], { autoSelectFamily: true }),
  "the first of two answers is right": echo([v4, v6], { autoSelectFamily: true }),
  "the first of two answers refuses": echo([v6, v4], { autoSelectFamily: true }),
  "the same answer twice": echo([v4, v4], { autoSelectFamily: true }),
  "an unreachable answer before the right one": echo([{ address: "255.255.255.255", family: 4 }, v4], { autoSelectFamily: true }),
  "an answer that is no address": fails([{ address: "not an address", family: 4 }]),
  "a single answer that is no address": fails([{ address: "not an address", family: 4 }], { autoSelectFamily: false }),
  "an answer of an unknown family": fails([{ address: "127.0.0.1", family: 9 }], { autoSelectFamily: false }),
  "a lookup that finds nothing": fails([v4], { lookup: { error: notFound() } }),
  "a lookup that fails at once": fails([v4], { lookup: { error: notFound(), defer: now } }),
  "a lookup that finds nothing, autoSelectFamily off": fails([v4], { autoSelectFamily: false, lookup: { error: notFound() } }),
  "every answer refuses": fails([v6, v4]),
  "every answer refuses, IPv4 first": fails([v4, v6]),
  "every answer is unreachable": fails([
    { address: "255.255.255.255", family: 4 },
    { address: "ff02::1", family: 6 },
  ]),
  "one answer is unreachable and one refuses": fails([{ address: "ff02::1", family: 6 }, v4]),
  "one answer refuses and one is unreachable": fails([v4, { address: "ff02::1", family: 6 }]),
  "the only answer refuses": fails([v4]),
  "the first answer refuses with autoSelectFamily off": fails([v4, v6], { autoSelectFamily: false }),

  "a lookup with an empty list": async (t) => {
    const socket = dial(t, { port: closedPort, host, lookup: lookupOf(t, []) });
    await t.sleep(30);
    socket.destroy();
  },

  "a lookup that throws": async (t) => {
    const lookup = () => {
      throw new Error("no lookup today");
    };
    const socket = t.watch(new net.Socket(), "client");
    t.attempt("client", "connect", () => socket.connect({ port: closedPort, host, lookup }));
    await t.sleep(20);
    socket.destroy();
  },

  "is destroyed while the lookup runs": async (t) => {
    const server = await t.echo();
    const socket = dial(t, { port: server.port, host, lookup: lookupOf(t, [v4], { defer: (fn) => setTimeout(fn, 20) }) });
    socket.destroy();
    await t.sleep(50);
    t.log("servers", "connections", server.sockets.length);
  },

  "is destroyed in the lookup handler": async (t) => {
    const server = await t.echo();
    const socket = dial(t, { port: server.port, host, lookup: lookupOf(t, [v4]) });
    socket.on("lookup", () => socket.destroy());
    await t.closed(socket);
    await t.sleep(20);
    t.log("servers", "connections", server.sockets.length);
  },

  "is destroyed in the connectionAttempt handler": async (t) => {
    const server = await t.echo();
    const socket = dial(t, { port: server.port, host, lookup: lookupOf(t, [v4, v6]) });
    socket.on("connectionAttempt", () => socket.destroy());
    await t.closed(socket);
  },

  "is destroyed in the connectionAttemptFailed handler": async (t) => {
    const socket = dial(t, { port: closedPort, host, lookup: lookupOf(t, [v4, v6]) });
    socket.on("connectionAttemptFailed", () => socket.destroy());
    await t.closed(socket);
  },

  "the first address never answers": async (t) => {
    const { ipv6 } = await silentPorts();
    if (ipv6 === undefined) t.skip("no IPv6 here");
    const server = await t.echo({ port: ipv6 });
    const socket = dial(t, { port: ipv6, host, lookup: lookupOf(t, [v6, v4]), autoSelectFamilyAttemptTimeout: 250 });
    await t.talk(socket);
    t.log("servers", "connections", server.sockets.length);
  },

  "the first address never answers and the second refuses": async (t) => {
    const { ipv6 } = await silentPorts();
    if (ipv6 === undefined) t.skip("no IPv6 here");
    const options = { port: ipv6, host, lookup: lookupOf(t, [v6, v4]), autoSelectFamilyAttemptTimeout: 250 };
    dial(t, options);
  },

  "the first address refuses and the second never answers": async (t) => {
    const { ipv6 } = await silentPorts();
    if (ipv6 === undefined) t.skip("no IPv6 here");
    const options = { port: ipv6, host, lookup: lookupOf(t, [v4, v6]), autoSelectFamilyAttemptTimeout: 250 };
    const socket = dial(t, options).setTimeout(500);
    socket.on("timeout", () => socket.destroy(new Error("too slow")));
  },

  "the process-wide default turns autoSelectFamily off": async (t) => {
    const before = net.getDefaultAutoSelectFamily();
    t.cleanup(() => net.setDefaultAutoSelectFamily(before));
    net.setDefaultAutoSelectFamily(false);
    const server = await t.echo();
    await t.talk(dial(t, { port: server.port, host, lookup: lookupOf(t, [v4, v6]) }));
  },

  "an unknown name": async (t) => {
    t.watch(net.connect(80, "nope.invalid"), "client");
  },

  "a name that no resolver accepts": async (t) => {
    t.watch(net.connect(80, `${"x".repeat(70)}.test`), "client");
  },

  "a lookup and a local address of the other family": async (t) => {
    dial(t, { port: closedPort, host, lookup: lookupOf(t, [v6]), localAddress: "127.0.0.1", family: 6 });
  },

  "a lookup error keeps its identity": async (t) => {
    const error = notFound();
    const socket = dial(t, { port: closedPort, host, lookup: lookupOf(t, [v4], { error }) });
    const [seen] = await t.event(socket, "error");
    t.log("client", "the same error", { same: seen === error, error: describeError(seen) });
  },
};
