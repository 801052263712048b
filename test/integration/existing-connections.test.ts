// What happens to connections that were open before a scope began: `existingConnections`.
import { once } from "node:events";
import http from "node:http";
import net from "node:net";
import tls from "node:tls";
import { activate, faultScope, install, isInjected, reset, uninstall, withFaults, withoutFaults } from "faultcore";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { authority, localhost } from "../helpers/certificates.mjs";
import { failureOf, timed } from "../helpers/measure.ts";
import { echo, listen } from "../helpers/peers.ts";
import { until } from "../helpers/runtime.ts";
import { talk } from "../helpers/worker-peer.ts";
import type { Talk } from "../helpers/worker-peer.ts";

beforeAll(() => install({ steer: "always" }));
afterEach(() => reset());
afterAll(() => uninstall());

const open = (port: number): Promise<Talk> => talk({ port, host: "127.0.0.1" });

/** What the socket dies of. */
async function death({ socket }: Talk): Promise<NodeJS.ErrnoException> {
  return failureOf(once(socket, "close"));
}

describe("existingConnections: ignore", () => {
  it("leaves what was open alone, governs what is opened, and the report says so", async () => {
    await using peer = await echo();
    const before = await open(peer.port);
    const scope = faultScope({ latency: "200ms" }, { existingConnections: "ignore" });
    await scope.run(async () => {
      expect((await timed(() => before.ask("old"))).ms).toBeLessThan(200);
      const fresh = await open(peer.port);
      expect((await timed(() => fresh.ask("new"))).ms).toBeGreaterThanOrEqual(400);
      await before.ask("old");
      await fresh.close();
    });
    const flows = scope.report().flows.map(({ flow, governed, leftAlone }) => ({ flow, governed, leftAlone }));
    expect(flows).toEqual([
      { flow: -1, governed: false, leftAlone: "it was open before" },
      { flow: 0, governed: true, leftAlone: null },
    ]);
    await before.close();
  });

  it("also where it is an activation, and where that gets other fields", async () => {
    await using peer = await echo();
    const before = await open(peer.port);
    const activation = activate({ latency: "200ms" }, { existingConnections: "ignore" });
    const fresh = await open(peer.port);
    activation.update({ latency: "250ms" });
    expect((await timed(() => before.ask("old"))).ms).toBeLessThan(200);
    expect((await timed(() => fresh.ask("new"))).ms).toBeGreaterThanOrEqual(500);
    activation.dispose();
    await Promise.all([before.close(), fresh.close()]);
  });
});

describe("existingConnections: drop", () => {
  it("makes the pool of an http agent connect again, under the policy", async () => {
    await using web = await listen(http.createServer((_request, response) => response.end("ok")));
    const agent = new http.Agent({ keepAlive: true });
    const get = async (): Promise<string> => {
      const request = http.get({ host: "127.0.0.1", port: web.port, agent });
      const [response] = (await once(request, "response")) as [http.IncomingMessage];
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      return Buffer.concat(chunks).toString();
    };
    await get();
    await until("the connection is back in the pool", () => Object.keys(agent.freeSockets).length === 1);
    const scope = faultScope({ latency: "20ms" }, { existingConnections: "drop", strict: true });
    const { ms } = await timed(() => scope.run(get));
    // The connect, and the request.
    expect(ms).toBeGreaterThanOrEqual(80);
    expect(web.accepted()).toBe(2);
    const report = scope.report();
    expect(report.faults["existing_connections"]).toMatchObject({ count: 1, codes: { ECONNRESET: 1 } });
    expect(report.flows.map(({ flow, governed }) => ({ flow, governed }))).toEqual([
      { flow: -1, governed: true },
      { flow: 0, governed: true },
    ]);
    expect(scope.events()[0]).toMatchObject({ position: "existing", fault: "existing_connections", code: "ECONNRESET" });
    agent.destroy();
  });

  it("is known to a pool before the scope's work asks it for a connection", async () => {
    await using web = await listen(http.createServer((_request, response) => response.end("ok")));
    const get = async (): Promise<string> => (await fetch(`http://127.0.0.1:${web.port}/`)).text();
    await get();
    await get();
    const before = web.accepted();
    const scope = faultScope({ latency: "5ms" }, { existingConnections: "drop" });
    // The request is made in the very tick in which the scope begins.
    expect(await scope.run(get)).toBe("ok");
    expect(web.accepted()).toBe(before + 1);
    await using peer = await echo();
    const conversation = await open(peer.port);
    let known = false;
    conversation.socket.once("error", () => (known = true));
    withFaults({ latency: "5ms" }, () => expect(known).toBe(true), { existingConnections: "drop" });
    await conversation.close();
  });

  it("resets both ends with an error that is Node's own, and injected", async () => {
    await using peer = await echo();
    const before = await open(peer.port);
    // The peer knows of it, too.
    await before.ask("x");
    const [atPeer] = peer.sockets;
    const heard = once(atPeer!, "error");
    const dead = death(before);
    withFaults({ latency: "5ms" }, () => expect(before.socket.destroyed).toBe(true), { existingConnections: "drop" });
    const error = await dead;
    expect(error).toMatchObject({ code: "ECONNRESET", syscall: "read", message: "read ECONNRESET" });
    expect(isInjected(error)).toBe(true);
    expect(((await heard) as [NodeJS.ErrnoException])[0].code).toBe("ECONNRESET");
  });

  it("spares what another live scope or shield uses, and what the targets do not touch", async () => {
    await using peer = await echo();
    await using other = await echo();
    const [used, shielded, elsewhere, idle] = await Promise.all([open(peer.port), open(peer.port), open(other.port), open(peer.port)]);
    const user = faultScope({ latency: "1ms" });
    let leave = (): void => {};
    const left = new Promise<void>((resolve) => (leave = resolve));
    const using = user.run(async () => {
      await used.ask("mine");
      await left;
      return used.ask("still mine");
    });
    const shieldUsing = withoutFaults(async () => {
      await shielded.ask("mine");
      await left;
      return shielded.ask("still mine");
    });
    await Promise.all([elsewhere.ask("x"), idle.ask("x")]);
    const dead = death(idle);
    const scope = faultScope({ latency: "1ms", targets: [`tcp://127.0.0.1:${peer.port}`] }, { existingConnections: "drop" });
    // Behind the first words of both.
    await new Promise((resolve) => setImmediate(resolve));
    scope.run(() => {});
    await dead;
    leave();
    expect(await Promise.all([using, shieldUsing])).toEqual(["still mine", "still mine"]);
    expect(await elsewhere.ask("y")).toBe("y");
    expect(scope.report().flows).toHaveLength(1);
    await Promise.all([used, shielded, elsewhere].map((each) => each.close()));
  });

  it("reaches a plain connection that TLS was put on, by its server name", async () => {
    await using peer = await listen(tls.createServer(localhost, (socket) => socket.on("error", () => {}).pipe(socket)));
    const raw = net.connect(peer.port, "127.0.0.1");
    await once(raw, "connect");
    const secure = tls.connect({ socket: raw, servername: "localhost", ca: authority });
    await once(secure, "secureConnect");
    const dead = failureOf(once(secure, "close"));
    withFaults({ latency: "1ms", targets: [{ sni: "other.example" }] }, () => {}, { existingConnections: "drop" });
    expect(secure.destroyed).toBe(false);
    withFaults({ latency: "1ms", targets: [{ sni: "localhost" }] }, () => {}, { existingConnections: "drop" });
    expect((await dead).code).toBe("ECONNRESET");
  });

  it("an activation drops once, not with each update", async () => {
    await using peer = await echo();
    const before = await open(peer.port);
    const dead = death(before);
    const activation = activate({ latency: "1ms" }, { existingConnections: "drop" });
    await dead;
    const fresh = await open(peer.port);
    activation.update({ latency: "2ms" });
    expect(await fresh.ask("alive")).toBe("alive");
    expect(activation.report().flows.map(({ flow }) => flow)).toEqual([0]);
    activation.dispose();
    await fresh.close();
  });
});
