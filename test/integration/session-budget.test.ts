import { once } from "node:events";
import net from "node:net";
import { constants } from "node:os";
import { faultScope, install, isInjected, reset, uninstall, withFaults } from "faultcore";
import type { FaultScope, PolicyFields } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { nowMs } from "../helpers/measure.ts";
import { serve } from "../helpers/peers.ts";
import type { Peer } from "../helpers/peers.ts";
import { until } from "../helpers/runtime.ts";

interface Counting extends Peer {
  got(): number;
  readonly ends: string[];
}

/** Answers each chunk with one that is twice as long. */
async function counting(): Promise<Counting> {
  let got = 0;
  const ends: string[] = [];
  const peer = await serve((socket) => {
    socket.on("data", (chunk) => {
      got += chunk.length;
      socket.write(Buffer.alloc(2 * chunk.length));
    });
    socket.on("end", () => ends.push("end"));
    socket.on("error", (error: NodeJS.ErrnoException) => ends.push(error.code ?? ""));
  });
  return Object.assign(peer, { got: () => got, ends });
}

interface Connection {
  readonly socket: net.Socket;
  got(): number;
  /** Sends and waits for the answer. */
  exchange(bytes: number): Promise<void>;
  readonly failed: Promise<NodeJS.ErrnoException>;
  error(): Error | undefined;
}

async function connect(peer: Peer): Promise<Connection> {
  let got = 0;
  let error: Error | undefined;
  const socket = net.connect({ port: peer.port, host: "127.0.0.1", noDelay: true });
  onTestFinished(() => void socket.destroy());
  socket.on("data", (chunk) => (got += chunk.length));
  const failed = new Promise<NodeJS.ErrnoException>((resolve) =>
    socket.once("error", (reason) => {
      error = reason;
      resolve(reason);
    }),
  );
  await once(socket, "connect");
  const exchange = async (bytes: number): Promise<void> => {
    const expected = got + 2 * bytes;
    socket.write(Buffer.alloc(bytes));
    await until("the answer", () => got >= expected);
  };
  return { socket, got: () => got, exchange, failed, error: () => error };
}

function expectReadError(error: NodeJS.ErrnoException, code: "ECONNRESET" | "EHOSTUNREACH" | "ETIMEDOUT"): void {
  expect({ ...error }).toEqual({ errno: -constants.errno[code], code, syscall: "read" });
  expect(error.message).toBe(`read ${code}`);
  expect(isInjected(error)).toBe(true);
}

const spent = (scope: FaultScope): Promise<void> =>
  until("the budget's event", () => scope.report().faults["session_budget"] !== undefined);

const limited = (budget: NonNullable<PolicyFields["sessionBudget"]>): FaultScope => faultScope({ sessionBudget: budget });

beforeAll(() => install({ steer: "always" }));
afterEach(() => reset());
afterAll(() => uninstall());

describe("the limits of session_budget, with drop: nothing more passes, silently", () => {
  it("max_tx: exactly so many bytes reach the peer, and their answers come back as long as no more is sent", async () => {
    await using peer = await counting();
    const scope = limited({ maxTx: "100b" });
    await scope.run(async () => {
      const { socket, got, exchange, error } = await connect(peer);
      await exchange(60);
      await exchange(40);
      expect(scope.report().faults).toEqual({});
      socket.write("x");
      await spent(scope);
      socket.setTimeout(50);
      await once(socket, "timeout");
      expect([peer.got(), got(), peer.ends, error()]).toEqual([100, 200, [], undefined]);
    });
    expect(scope.events().map(({ decision, bytes }) => [decision, bytes])).toEqual([["max_tx: drop", 100]]);
  });

  it("max_rx: exactly so many bytes reach the program", async () => {
    await using peer = await counting();
    const scope = limited({ maxRx: "70b" });
    await scope.run(async () => {
      const { socket, got } = await connect(peer);
      socket.write(Buffer.alloc(50));
      await spent(scope);
      await until("the bytes within the budget", () => got() === 70);
      socket.setTimeout(50);
      await once(socket, "timeout");
      expect(got()).toBe(70);
    });
  });

  it("max_ops: a request and its response are two operations", async () => {
    await using peer = await counting();
    const scope = limited({ maxOps: 4 });
    await scope.run(async () => {
      const { socket, got, exchange } = await connect(peer);
      await exchange(5);
      await exchange(7);
      socket.write(Buffer.alloc(9));
      await spent(scope);
      socket.setTimeout(50);
      await once(socket, "timeout");
      expect([peer.got(), got()]).toEqual([12, 24]);
    });
    expect(scope.events()[0]?.decision).toBe("max_ops: drop");
  });

  it("max_duration counts from the binding, and does not depend on bytes", async () => {
    await using peer = await counting();
    const scope = limited({ maxDuration: "80ms" });
    const began = nowMs();
    await scope.run(async () => {
      const { exchange } = await connect(peer);
      await exchange(5);
      await spent(scope);
      expect(nowMs() - began).toBeGreaterThanOrEqual(80);
    });
    expect(scope.events()[0]?.decision).toBe("max_duration: drop");
  });

  it("counts from the binding on a flow that was open before, and not what passed before", async () => {
    await using peer = await counting();
    const { socket, exchange, failed } = await connect(peer);
    await exchange(1000);
    const scope = limited({ maxTx: "10b", action: "connection_error" });
    await scope.run(async () => {
      socket.write(Buffer.alloc(12));
      expectReadError(await failed, "ECONNRESET");
      await until("the peer's reset", () => peer.ends.length > 0);
      expect(peer.got()).toBe(1010);
    });
  });

  it("does nothing to flows that stay within it, nor after the scope", async () => {
    await using peer = await counting();
    const scope = limited({ maxTx: "100b", maxDuration: "100ms" });
    const connection = await scope.run(async () => {
      const opened = await connect(peer);
      await opened.exchange(50);
      return opened;
    });
    await connection.exchange(500);
    connection.socket.setTimeout(120);
    await once(connection.socket, "timeout");
    await connection.exchange(5);
    expect(scope.report()).toMatchObject({ injected: 0, silentFaults: ["session_budget"] });
  });
});

describe("the actions of session_budget", () => {
  it("timeout: silent for budget_timeout, then read ETIMEDOUT, not before", async () => {
    await using peer = await counting();
    const scope = limited({ maxTx: "10b", action: "timeout", budgetTimeout: "90ms" });
    await scope.run(async () => {
      const { socket, got, failed } = await connect(peer);
      const began = nowMs();
      socket.write(Buffer.alloc(15));
      expectReadError(await failed, "ETIMEDOUT");
      expect(nowMs() - began).toBeGreaterThanOrEqual(90);
      await until("the peer's reset", () => peer.ends.length > 0);
      expect([peer.got(), got(), peer.ends]).toEqual([10, 0, ["ECONNRESET"]]);
    });
  });

  for (const [error, code] of [
    [undefined, "ECONNRESET"],
    ["refused", "ECONNRESET"],
    ["unreachable", "EHOSTUNREACH"],
  ] as const) {
    it(`connection_error, ${error ?? "by default"}: read ${code}, once the bytes within the budget have arrived`, async () => {
      await using peer = await counting();
      const scope = limited({ maxRx: "30b", action: "connection_error", ...(error && { error }) });
      await scope.run(async () => {
        const { socket, got, failed } = await connect(peer);
        socket.write(Buffer.alloc(50));
        expectReadError(await failed, code);
        await until("the peer's reset", () => peer.ends.length > 0);
        expect([peer.got(), got()]).toEqual([50, 30]);
      });
      expect(scope.report().faults["session_budget"]).toMatchObject({ count: 1, codes: { [code]: 1 } });
    });
  }

  it("two scopes have a budget each", async () => {
    await using peer = await counting();
    const run = (maxTx: string): Promise<number> =>
      withFaults({ sessionBudget: { maxTx, action: "connection_error" } }, async () => {
        const { socket, failed } = await connect(peer);
        const before = peer.got();
        socket.write(Buffer.alloc(300));
        await failed;
        await until("the peer's reset", () => peer.ends.length > 0);
        peer.ends.length = 0;
        return peer.got() - before;
      });
    expect(await run("100b")).toBe(100);
    expect(await run("200b")).toBe(200);
  });
});
