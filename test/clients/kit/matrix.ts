/**
 * The client matrix: what every client must do in a scope, against a real server, on the way to which a forwarder stands that can be
 * bad for real. Each client is a `ClientCase`; `describeClient` makes its tests, which run side by side: scopes do not meet.
 */
import { faultScope, install, isInjected, reset, uninstall } from "faultcore";
import type { FaultScope } from "faultcore";
import { afterAll, beforeAll, it as base, describe, expect } from "vitest";
import { nowMs } from "../../helpers/measure.ts";
import type { Server, Skipped } from "../../helpers/servers.ts";
import { startLink } from "./link.ts";
import type { Link } from "./link.ts";
import { outcomeOf } from "./outcome.ts";

/** Where a client connects to. */
export interface At {
  readonly host: string;
  readonly port: number;
}

/** A client and what is to be done with it. Its time limits are 300 to 500 ms, where it has any. */
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
  /** One connection carries the operations of all callers at once: concurrent scopes share it, and their reports say so. */
  readonly multiplexed?: boolean;
}

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
    });
    afterAll(async () => {
      reset();
      uninstall();
      if (server.skipped === undefined) await server.stop();
    });

    const open = async (at?: Partial<At>, used = true): Promise<Opened<C>> => {
      const link = await startLink((server as Server).port);
      const client = await tried.open({ host: "127.0.0.1", port: link.port, ...at });
      if (used) await tried.use(client);
      return {
        client,
        link,
        [Symbol.asyncDispose]: async () => {
          await Promise.resolve(tried.close(client)).catch(() => {});
          await link[Symbol.asyncDispose]();
        },
      };
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
      expect(scope.report().unsteered).toBe(0);
      const { injected } = scope.report();
      await tried.use(opened.client);
      expect(scope.report().injected).toBe(injected);
    });

    it("two scopes and an unscoped call on it at once get each its own network", async () => {
      await using opened = await open();
      // Warmed up, as far as the client pools.
      await Promise.all([tried.use(opened.client), tried.use(opened.client), tried.use(opened.client)]);
      const scopes = [faultScope({ latency: "40ms" }), faultScope({ latency: "120ms" })] as const;
      const run = async (scope?: FaultScope): Promise<number> => {
        const began = nowMs();
        await (scope === undefined ? tried.use(opened.client) : scope.run(() => tried.use(opened.client)));
        return nowMs() - began;
      };
      const [first, second, outside] = await Promise.all([run(scopes[0]), run(scopes[1]), run()]);
      if (tried.multiplexed === true) {
        const reports = scopes.map((scope) => scope.report());
        expect(reports.some(({ injected }) => injected > 0)).toBe(true);
        expect(reports.map(({ shared }) => shared)).toEqual([true, true]);
        return;
      }
      expect(first).toBeGreaterThanOrEqual(80);
      expect(second).toBeGreaterThanOrEqual(240);
      expect(first).toBeLessThan(240);
      expect(outside).toBeLessThan(80);
      expect(scopes.map((scope) => scope.report().shared)).toEqual([false, false]);
    });

    it("a pooled connection that goes silent, or is reset, fails as on a network that does so", async () => {
      for (const fault of ["silent", "reset"] as const) {
        await using real = await open();
        await using injected = await open();
        real.link.spoil(fault);
        const scope = faultScope({ halfOpen: { error: fault } });
        const outcomes = await Promise.all([
          outcomeOf(() => tried.use(real.client)),
          outcomeOf(() => scope.run(() => tried.use(injected.client))),
        ]);
        expect(outcomes[1], fault).toEqual(outcomes[0]);
        scope.assertInjected("half_open");
        scope.end();
        // What the client does with such a connection is its own affair: the same here and there.
        const after = await Promise.all([outcomeOf(() => tried.use(real.client)), outcomeOf(() => tried.use(injected.client))]);
        expect(after[1], `after ${fault}`).toEqual(after[0]);
      }
    });

    it("a lookup that fails when it reconnects is its error, and the next one succeeds", async () => {
      await using opened = await open({ host: "localhost" });
      opened.link.drop();
      const scope = faultScope({ dns: { nxdomain: "100%" }, targets: [{ hostname: "localhost" }] });
      // The client may not know yet that its connection is over: then its first operation finds out.
      const failures: unknown[] = [];
      await scope.run(async () => {
        for (let attempt = 0; attempt < 3 && !isInjected(failures.at(-1)); attempt++) {
          await tried.use(opened.client).catch((error: unknown) => failures.push(error));
        }
      });
      expect(failures.findIndex(isInjected), String(failures)).toBeGreaterThanOrEqual(0);
      scope.assertInjected("dns");
      await tried.use(opened.client);
    });
  });
}
