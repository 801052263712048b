/** One server for all clients of a file, and tests on it that are not the matrix's. */
import { install, reset, uninstall } from "faultcore";
import { afterAll, it as base, beforeAll, describe } from "vitest";
import type { Server, Skipped } from "../../helpers/servers.ts";
import type { At, ClientCase } from "./matrix.ts";

type Start = ClientCase<unknown>["start"];

/** Started by the first that needs it, stopped when the file is done. */
export function oneServer(begin: () => Promise<Server | Skipped>): Start {
  let begun: Promise<Server | Skipped> | undefined;
  afterAll(async () => {
    const server = await begun;
    if (server?.skipped === undefined) await server?.stop();
  });
  return async () => {
    const server = await (begun ??= begin());
    return server.skipped === undefined ? { port: server.port, stop: async () => {} } : server;
  };
}

/** Everything is steered in these tests, as it is in the matrix. */
export function describeOn(
  what: string,
  start: Start,
  tests: (it: (title: string, test: (at: At) => Promise<void>) => void) => void,
): void {
  describe(what, () => {
    let server: Awaited<ReturnType<Start>>;

    beforeAll(async () => {
      install({ steer: "always" });
      server = await start();
    });
    afterAll(() => {
      reset();
      uninstall();
    });

    tests((title, test) => {
      base(title, async (context) => {
        if (server.skipped !== undefined) return context.skip(server.skipped);
        await test({ host: "127.0.0.1", port: server.port });
      });
    });
  });
}
