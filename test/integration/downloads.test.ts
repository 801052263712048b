import net from "node:net";
import { install, reset, uninstall } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { Peer } from "../helpers/peers.ts";
import { pour, serve } from "../helpers/peers.ts";

beforeAll(() => install({ steer: "always" }));
afterEach(() => reset());
afterAll(() => uninstall());

const BLOCK = Buffer.alloc(65_536);

async function download({ port }: Peer, bytes: number): Promise<void> {
  const socket = net.connect(port, "127.0.0.1");
  let received = 0;
  socket.on("data", (data) => {
    received += data.length;
    if (received >= bytes) socket.destroy();
  });
  await new Promise((resolve) => socket.once("close", resolve));
}

const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };

describe("a steered download", () => {
  // Each MB has 256 pages of 4 KiB: without `freed-memory.ts`, most of them are faulted in again on Node 20.
  it.skipIf(header.glibcVersionRuntime === undefined)(
    "is read into memory that the process has, not into new memory each time",
    async () => {
      await using peer = await serve((socket) => pour(socket, BLOCK));
      await download(peer, 100e6);
      const before = process.resourceUsage().minorPageFault;
      await download(peer, 200e6);
      const perMb = (process.resourceUsage().minorPageFault - before) / 200;
      console.log(`${perMb.toFixed(1)} page faults per MB`);
      expect(perMb).toBeLessThan(60);
    },
  );
});
