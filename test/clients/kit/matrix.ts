/**
 * The client matrix: what every client must do in a scope, against a real server, on the way to which a forwarder stands that can be
 * bad for real. Each client is a `ClientCase`; `describeClient` makes its tests, which run side by side: scopes do not meet.
 */
import { setImmediate } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { activate, faultScope, install, isInjected, onFault, reset, uninstall } from "faultcore";
import type { FaultScope, PolicyFields } from "faultcore";
import { afterAll, beforeAll, it as base, describe, expect } from "vitest";
import { nowMs, upToThreeTimes } from "../../helpers/measure.ts";
import { until } from "../../helpers/runtime.ts";
import type { Server, Skipped } from "../../helpers/servers.ts";
import { startLink } from "./link.ts";
import type { Link } from "./link.ts";
import { outcomeOf } from "./outcome.ts";
import type { Outcome } from "./outcome.ts";

/** Where a client connects to. */
export interface At {
  readonly host: string;
  readonly port: number;
  /**
   * The test waits for the client's time limits and heartbeats: as quick as can be (`limitOf`). Elsewhere, the limits must be longer than a
   * busy machine takes, and heartbeats would be unscoped writes in the middle of an operation.
   */
  readonly quick?: boolean;
}

/** What to set the client's time limits to, in ms, where it has any. */
export const limitOf = ({ quick = false }: At): number => (quick ? 600 : 10_000);

/** A client and what is to be done with it. */
export interface ClientCase<C> {
  /** As in docs/clients.md, which a test compares. */
  readonly name: string;
  /** The server, once for all tests of the client. */
  start(): Promise<(Pick<Server, "port" | "stop"> & { readonly skipped?: undefined }) | Skipped>;
  /** A client or pool; it may connect now or when it is first used. */
  open(at: At): Promise<C> | C;
  /** One operation, one request and its answer, whose result it checks. */
  use(client: C): Promise<unknown>;
  close(client: C): unknown;
  /**
   * One connection carries the operations of all callers at once: the scope that wrote last governs it. `"apart"`: each operation is
   * written in the context of its caller, so the last one is governed all the way, and the reports say that it was shared.
   */
  readonly multiplexed?: boolean | "apart";
  /** One connection carries the operations of all callers, one after the other. */
  readonly queued?: boolean;
  /** It connects again by itself, whoever calls: no scope governs that, only an activation. */
  readonly reconnects?: boolean;
  /** The error that it makes of a failed lookup does not lead to the injected one. */
  readonly hidesErrors?: boolean;
  /** It connects again to the addresses that it has, whether its name can be looked up or not. */
  readonly keepsAddresses?: boolean;
  /** Makes the process forget addresses that it keeps for all clients. */
  forget?(): void;
  /** What has not ended by then would wait on. Default: 1500. */
  readonly limitMs?: number;
}

const NO_SUCH_NAME: PolicyFields = { dns: { nxdomain: "100%" }, targets: [{ hostname: "localhost" }] };

const ONE_WAY_MS = 25;

/** A client that is open and has been used once, outside of all scopes: its connection is there. */
interface Opened<C> extends AsyncDisposable {
  readonly client: C;
  readonly link: Link;
}

export function describeClient<C>(tried: ClientCase<C>): void {
  describe(tried.name, () => {
    let server: Awaited<ReturnType<typeof tried.start>>;

    beforeAll(async () => {
      install({ steer: "always" });
      server = await tried.start();
      // What is loaded or started by the first operation of all would count against the time limits of a client.
      if (server.skipped === undefined) await (await open())[Symbol.asyncDispose]();
    });
    afterAll(async () => {
      reset();
      uninstall();
      if (server.skipped === undefined) await server.stop();
    });

    /** A client that has been used; with quick limits, which a busy machine may miss, at the third attempt at the latest. */
    const open = async (at?: Partial<At>, attempts = at?.quick === true ? 3 : 1): Promise<Opened<C>> => {
      const link = await startLink((server as Server).port);
      let client: C | undefined;
      const close = async (): Promise<void> => {
        if (client !== undefined) await Promise.resolve(tried.close(client)).catch(() => {});
        await link[Symbol.asyncDispose]();
      };
      try {
        client = await tried.open({ host: "127.0.0.1", port: link.port, ...at });
        await tried.use(client);
        // Some give their connection back a turn later: the next operation would open another.
        await setImmediate();
        return { client, link, [Symbol.asyncDispose]: close };
      } catch (error) {
        await close();
        if (attempts > 1) return open(at, attempts - 1);
        throw error;
      }
    };
    /** Three operations on one client. Returns in which order they ended, where they have a network of their own. */
    const atOnce = async (client: C): Promise<string[] | undefined> => {
      const scopes = [faultScope({ latency: "40ms" }), faultScope({ latency: "120ms" })] as const;
      const ended: string[] = [];
      const run = async (name: string, scope?: FaultScope): Promise<number> => {
        const began = nowMs();
        await (scope === undefined ? tried.use(client) : scope.run(() => tried.use(client)));
        ended.push(name);
        return nowMs() - began;
      };
      if (tried.multiplexed === "apart") {
        const [, , latest] = await Promise.all([run("outside"), run("first", scopes[0]), run("second", scopes[1])]);
        expect(latest).toBeGreaterThanOrEqual(240);
        expect(scopes.map((scope) => scope.report().shared)).toEqual([true, true]);
        return undefined;
      }
      const [first, second] = await Promise.all([run("first", scopes[0]), run("second", scopes[1]), run("outside")]);
      if (tried.multiplexed === true) {
        expect(scopes.some((scope) => scope.report().injected > 0)).toBe(true);
        return undefined;
      }
      expect(first).toBeGreaterThanOrEqual(80);
      expect(second).toBeGreaterThanOrEqual(tried.queued === true ? 319 : 240);
      expect(scopes.map((scope) => [...new Set(scope.events().map(({ delayMs }) => delayMs))])).toEqual([[40], [120]]);
      expect(scopes.map((scope) => scope.report().shared)).toEqual([false, false]);
      return ended;
    };
    /** What becomes of an operation, and of the next one, when the open connection is spoilt: on a network that does so, and in a scope. */
    const spoilt = async (fault: "silent" | "reset"): Promise<{ real: Outcome[]; injected: Outcome[]; faults: string[] }> => {
      const limitMs = tried.limitMs ?? 1_500;
      await using bad = await open({ quick: fault === "silent" });
      await using good = await open({ quick: fault === "silent" });
      // The connection that is there, and no other: the client may retry on a new one.
      const scope = faultScope({ halfOpen: { error: fault }, times: 1 });
      const onReal = async (): Promise<Outcome[]> => {
        bad.link.spoil(fault);
        return [await outcomeOf(() => tried.use(bad.client), limitMs), await outcomeOf(() => tried.use(bad.client), limitMs)];
      };
      const onInjected = async (): Promise<Outcome[]> => {
        const first = await outcomeOf(() => scope.run(() => tried.use(good.client)), limitMs);
        scope.end();
        return [first, await outcomeOf(() => tried.use(good.client), limitMs)];
      };
      const [real, injected] = await Promise.all([onReal(), onInjected()]);
      return { real, injected, faults: Object.keys(scope.report().faults) };
    };
    const it = (title: string, test: () => Promise<void>): void => {
      base.concurrent(title, async (context) => {
        if (server.skipped !== undefined) return context.skip(server.skipped);
        await test();
      });
    };

    it("a connection that is opened in the scope is slow from its connect on", async () => {
      const scope = faultScope({ latency: `${ONE_WAY_MS}ms` });
      await using link = await startLink((server as Server).port);
      const began = nowMs();
      await scope.run(async () => {
        const client = await tried.open({ host: "127.0.0.1", port: link.port });
        await tried.use(client);
        await tried.close(client);
      });
      // A round trip to connect, one for the operation.
      expect(nowMs() - began).toBeGreaterThanOrEqual(4 * ONE_WAY_MS);
      scope.assertInjected("latency");
      expect(scope.events().some(({ position }) => position.startsWith("connect"))).toBe(true);
    });

    it("a connection that was open before is slow in the scope, and only there", async () => {
      await using opened = await open();
      const scope = faultScope({ latency: `${ONE_WAY_MS}ms` });
      const began = nowMs();
      await scope.run(() => tried.use(opened.client));
      expect(nowMs() - began).toBeGreaterThanOrEqual(2 * ONE_WAY_MS);
      scope.assertInjected("latency");
      const { injected, unsteered, shared } = scope.report();
      expect({ unsteered, shared }).toEqual({ unsteered: 0, shared: false });
      await tried.use(opened.client);
      expect(scope.report().injected).toBe(injected);
    });

    it("two scopes and an unscoped call on it at once get each its own network", async () => {
      await using opened = await open();
      // Warmed up, as far as the client pools.
      await Promise.all([tried.use(opened.client), tried.use(opened.client), tried.use(opened.client)]);
      const order = tried.queued === true ? ["first", "second", "outside"] : ["outside", "first", "second"];
      // Order, not upper bounds: what holds up a busy machine mostly holds up all three.
      const ended = await upToThreeTimes(
        () => atOnce(opened.client),
        (value) => value === undefined || isDeepStrictEqual(value, order),
      );
      if (ended !== undefined) expect(ended).toEqual(order);
    });

    it("a pooled connection that goes silent, or is reset, fails as on a network that does so", async () => {
      await Promise.all(
        (["silent", "reset"] as const).map(async (fault) => {
          // A time limit that is short enough to wait for can be too short for a busy machine, and end an idle connection.
          const { real, injected, faults } = await upToThreeTimes(
            () => spoilt(fault),
            (ended) => ended.faults.includes("half_open") && isDeepStrictEqual(ended.real, ended.injected),
          );
          expect(injected, fault).toEqual(real);
          expect(faults).toEqual(["half_open"]);
        }),
      );
    });

    it("a lookup that fails when it reconnects is its error, and the next one succeeds", async () => {
      await using opened = await open({ host: "localhost" });
      if (tried.reconnects === true) await dropUntilItsLookupFailed(opened.link);
      else if (tried.keepsAddresses === true) {
        await opened.link.drop();
        await faultScope(NO_SUCH_NAME).run(() => tried.use(opened.client));
        // One that has none fails.
        tried.forget?.();
        const scope = faultScope(NO_SUCH_NAME);
        await expect(scope.run(() => open({ host: "localhost" }))).rejects.toThrow();
        scope.assertInjected("dns");
      } else {
        await opened.link.drop();
        const scope = faultScope(NO_SUCH_NAME);
        // A client that does not watch idle connections finds out by its first operation.
        const failures: unknown[] = [];
        const found = (failure: unknown): boolean =>
          failure !== undefined && (tried.hidesErrors === true ? scope.report().faults["dns"] !== undefined : isInjected(failure));
        await scope.run(async () => {
          for (let attempt = 0; attempt < 3 && !found(failures.at(-1)); attempt++) {
            await tried.use(opened.client).catch((error: unknown) => failures.push(error));
          }
        });
        expect(found(failures.at(-1)), String(failures)).toBe(true);
        scope.assertInjected("dns");
      }
      // What a client is given before it has its connection back may be lost.
      await tried.use(opened.client).catch(() => tried.use(opened.client));
    });
  });
}

/** The name is the reconnecting client's alone: all others of the file use the address. It tries at least twice. */
async function dropUntilItsLookupFailed(link: Link): Promise<void> {
  const activation = activate(NO_SUCH_NAME);
  let failed = 0;
  const stop = onFault(({ fault }) => void (fault === "dns" && failed++));
  // A client that polls may be between two connections.
  await until("its lookups failed", () => {
    void link.drop();
    return failed >= 2;
  });
  stop();
  activation.dispose();
}
