import { once } from "node:events";
import http from "node:http";
import type { LookupAddress } from "node:dns";
import net from "node:net";
import { constants } from "node:os";
import { faultScope, install, isInjected, reset, uninstall, withFaults } from "faultcore";
import type { ConnectionErrorFields, PolicyFields } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { failureOf, nowMs } from "../helpers/measure.ts";
import { echo, listen, serve } from "../helpers/peers.ts";
import { talk } from "../helpers/worker-peer.ts";

type Kind = ConnectionErrorFields["kind"];
const CODES: Readonly<Record<Kind, "ECONNREFUSED" | "ECONNRESET" | "EHOSTUNREACH">> = {
  refused: "ECONNREFUSED",
  reset: "ECONNRESET",
  unreachable: "EHOSTUNREACH",
};
const kinds = Object.keys(CODES) as Kind[];
const refused: PolicyFields = { connectionError: { kind: "refused" } };

const connect = async (options: net.TcpNetConnectOpts): Promise<void> => {
  const conversation = await talk(options);
  await conversation.close();
};

/** A port of all loopback addresses that nobody listens on. */
async function closedPort(): Promise<number> {
  await using peer = await echo();
  return peer.port;
}

async function hasIpv6(): Promise<boolean> {
  const server = net.createServer();
  try {
    server.listen(0, "::1");
    await once(server, "listening");
    return true;
  } catch {
    return false;
  } finally {
    server.close();
  }
}

const lookupOf =
  (...addresses: string[]): net.LookupFunction =>
  (_name, _options, done) =>
    done(
      null,
      addresses.map((address): LookupAddress => ({ address, family: net.isIPv6(address) ? 6 : 4 })),
    );

/** An error as data: everything that a program could look at, the trace aside. */
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  const names = Object.getOwnPropertyNames(error).filter((name) => name !== "stack");
  const fields = Object.fromEntries(names.map((name) => [name, (error as unknown as Record<string, unknown>)[name]]));
  const { errors, cause } = fields as { errors?: unknown[]; cause?: unknown };
  return {
    ...fields,
    ...(errors !== undefined && { errors: errors.map(describeError) }),
    ...(cause !== undefined && { cause: describeError(cause) }),
    class: error.constructor.name,
    keys: Object.keys(error),
    firstLine: error.stack?.split("\n")[0],
  };
}

/** The same, with another code. */
function withCode(description: unknown, code: "ECONNREFUSED" | "ECONNRESET" | "EHOSTUNREACH"): unknown {
  const text = JSON.stringify(description).replaceAll("ECONNREFUSED", code);
  return JSON.parse(text.replaceAll(`"errno":${-constants.errno.ECONNREFUSED}`, `"errno":${-constants.errno[code]}`));
}

beforeAll(() => install({ steer: "always" }));
afterEach(() => reset());
afterAll(() => uninstall());

describe("connection_error at connect", () => {
  for (const kind of kinds) {
    it(`${kind}: raises the error that Node raises for ${CODES[kind]}, in every field, and dials nothing`, async () => {
      const closed = await closedPort();
      const real = describeError(await failureOf(connect({ port: closed, host: "127.0.0.1" })));
      await using peer = await echo();
      const error = await failureOf(withFaults({ connectionError: { kind } }, () => connect({ port: peer.port, host: "127.0.0.1" })));
      const expected = JSON.parse(JSON.stringify(withCode(real, CODES[kind])).replaceAll(String(closed), String(peer.port))) as unknown;
      expect(describeError(error)).toEqual(expected);
      expect(isInjected(error)).toBe(true);
      expect(peer.accepted()).toBe(0);
    });
  }

  it("is what every one of 300 connects at once gets: the reset of its way to the relay never shows", async () => {
    const port = await closedPort();
    const refusals = Array.from({ length: 300 }, () => failureOf(withFaults(refused, () => connect({ port, host: "127.0.0.1" }))));
    const errors = await Promise.all(refusals);
    expect(errors.filter((error) => error.code !== "ECONNREFUSED" || !isInjected(error))).toEqual([]);
  });

  it("comes one round trip after connect() was called", async () => {
    const began = nowMs();
    await failureOf(withFaults({ latency: "30ms", ...refused }, () => connect({ port: 9, host: "127.0.0.1" })));
    expect(nowMs() - began).toBeGreaterThanOrEqual(60);
  });

  it("localhost with several addresses: gives the AggregateError that Node gives, marked through and through", async (context) => {
    if (!(await hasIpv6())) return context.skip("no ::1 on this machine");
    const port = await closedPort();
    const options = { port, host: "localhost", autoSelectFamily: true, lookup: lookupOf("::1", "127.0.0.1") };
    const real = await failureOf(connect(options));
    const injected = await failureOf(withFaults(refused, () => connect(options)));
    expect(real).toBeInstanceOf(AggregateError);
    expect(describeError(injected)).toEqual(describeError(real));
    expect(isInjected(injected)).toBe(true);
    expect(isInjected(real)).toBe(false);
    const { errors } = injected as unknown as AggregateError;
    expect(errors.map(isInjected)).toEqual([true, true]);
  });

  it("of one address leaves the next one to be tried, and the real failure of the next one unmarked", async () => {
    await using peer = await echo();
    const policy: PolicyFields = { ...refused, targets: ["127.0.0.2"] };
    const options = { port: peer.port, host: "two.test", autoSelectFamily: true, lookup: lookupOf("127.0.0.2", "127.0.0.1") };
    const conversation = await withFaults(policy, () => talk(options));
    expect(await conversation.ask("x")).toBe("x");
    expect(conversation.socket.remoteAddress).toBe("127.0.0.1");
    await conversation.close();
    const error = await failureOf(withFaults(policy, async () => connect({ ...options, port: await closedPort() })));
    const { errors } = error as unknown as { errors: Error[] };
    expect(errors.map(isInjected)).toEqual([true, false]);
  });

  it("fetch: is the cause of its TypeError, as directly", async () => {
    const port = await closedPort();
    const url = `http://127.0.0.1:${port}/`;
    const real = describeError(await failureOf(fetch(url)));
    for (const kind of kinds) {
      const injected = await failureOf(withFaults({ connectionError: { kind } }, () => fetch(url)));
      expect(injected).toBeInstanceOf(TypeError);
      expect(describeError(injected)).toEqual(withCode(real, CODES[kind]));
      expect(isInjected(injected)).toBe(true);
    }
  });

  it("http: is the request's error", async () => {
    const get = (): Promise<unknown[]> => once(http.get({ port: 9, host: "127.0.0.1", agent: false }), "response");
    const error = await failureOf(withFaults({ connectionError: { kind: "unreachable" } }, get));
    expect(error).toMatchObject({ code: "EHOSTUNREACH", syscall: "connect", message: "connect EHOSTUNREACH 127.0.0.1:9" });
  });

  it("an error that the real network raised is not marked", async () => {
    const port = await closedPort();
    const error = await failureOf(withFaults({ latency: "1ms" }, () => connect({ port, host: "127.0.0.1" })));
    expect(error.code).toBe("ECONNREFUSED");
    expect(isInjected(error)).toBe(false);
  });
});

describe("connection_error at the first use of an open flow", () => {
  for (const kind of kinds) {
    const code = kind === "unreachable" ? "EHOSTUNREACH" : "ECONNRESET";
    it(`${kind}: gives read ${code}, the scope's bytes never leave, and the peer sees a reset`, async () => {
      const got: string[] = [];
      let peerError: Promise<NodeJS.ErrnoException> | undefined;
      await using peer = await serve((socket) => {
        peerError = new Promise((resolve) => socket.once("error", resolve));
        socket.setEncoding("utf8").on("data", (text: string) => {
          got.push(text);
          socket.write("ok\n");
        });
      });
      const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
      expect(await conversation.ask("before")).toBe("ok");
      const scope = faultScope({ connectionError: { kind } });
      const error = await failureOf(scope.run(() => conversation.ask("during")));
      expect({ ...error }).toEqual({ errno: -constants.errno[code], code, syscall: "read" });
      expect(error.message).toBe(`read ${code}`);
      expect(isInjected(error)).toBe(true);
      expect(await peerError).toMatchObject({ code: "ECONNRESET" });
      expect(got).toEqual(["before\n"]);
      expect(scope.report().faults["connection_error"]).toMatchObject({ count: 1, codes: { [code]: 1 } });
      await conversation.close();
    });
  }

  it("a pooled http connection is reset once, and the next request gets a fresh one", async () => {
    await using peer = await listen(http.createServer((_request, response) => response.end("ok")));
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const get = async (): Promise<void> => {
      const request = http.get({ port: peer.port, host: "127.0.0.1", agent });
      const [response] = (await once(request, "response")) as [http.IncomingMessage];
      response.resume();
      await once(response, "end");
    };
    await get();
    const error = await failureOf(withFaults({ connectionError: { kind: "reset" } }, get));
    expect(error.code).toBe("ECONNRESET");
    expect(isInjected(error)).toBe(true);
    await get();
    expect(peer.accepted()).toBe(2);
    agent.destroy();
  });

  it("does not touch a flow that the scope does not use", async () => {
    await using peer = await echo();
    const conversation = await talk({ port: peer.port, host: "127.0.0.1" });
    await failureOf(withFaults(refused, () => connect({ port: peer.port, host: "127.0.0.1" })));
    expect(await conversation.ask("x")).toBe("x");
    await conversation.close();
  });
});

describe("prob", () => {
  it("is rolled once per connect, the same way for the same seed", async () => {
    await using peer = await echo();
    const CALLS = 200;
    const run = async (seed: number): Promise<string> => {
      reset();
      let fates = "";
      for (let call = 0; call < CALLS; call++) {
        const attempt = withFaults({ connectionError: { kind: "refused", prob: "30%" }, seed }, () =>
          connect({ port: peer.port, host: "127.0.0.1" }),
        );
        fates += await attempt.then(
          () => ".",
          () => "x",
        );
      }
      return fates;
    };
    const first = await run(5);
    const hits = first.replaceAll(".", "").length;
    console.log(`prob 30 %, seed 5: ${hits} of ${CALLS} connects refused`);
    // Five standard deviations.
    expect(Math.abs(hits / CALLS - 0.3)).toBeLessThan(5 * Math.sqrt((0.3 * 0.7) / CALLS));
    expect(await run(5)).toBe(first);
    expect(await run(6)).not.toBe(first);
  });

  it("of 0 % never fails, and the report says that the fault was silent", async () => {
    await using peer = await echo();
    const scope = faultScope({ connectionError: { kind: "reset", prob: "0%" } });
    await scope.run(() => connect({ port: peer.port, host: "127.0.0.1" }));
    expect(scope.report()).toMatchObject({ injected: 0 });
  });
});
