/** How the relay dials and listens: the same over Node's handles and over `node:net`. */
import { once } from "node:events";
import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { codeOf } from "../../../../src/internal/errnos.ts";
import { serve } from "../../../helpers/peers.ts";
import { Notes, accept, closedPort, dial, nativeTcp, networks, openNetwork, to } from "./pairs.ts";

describe.each(networks)("sockets over %s", (_, open) => {
  it("tell where an accepted connection comes from, and what both ends of a dialled one are called", async () => {
    const near = await accept(openNetwork(open));
    expect(near.port).toBe(near.far.localPort);
    const { socket, far } = await dial(openNetwork(open));
    expect(socket.localName()).toEqual({ address: "127.0.0.1", family: "IPv4", port: far.remotePort });
    expect(socket.remoteName()).toEqual({ address: "127.0.0.1", family: "IPv4", port: far.localPort });
  });

  it("dial from the address and port that they are told", async () => {
    const port = await closedPort();
    const { far } = await dial(openNetwork(open), { localAddress: "127.0.0.1", localPort: port });
    expect(far.remotePort).toBe(port);
  });

  it.each([
    ["ECONNREFUSED, nobody listening", {}, "ECONNREFUSED", undefined],
    ["EADDRINUSE, the local port being taken", "taken", "EADDRINUSE", undefined],
    ["EADDRNOTAVAIL, the local address not being one of this machine", { localAddress: "192.0.2.1" }, "EADDRNOTAVAIL", undefined],
    [
      "what the kernel says at once, and where the socket was",
      { address: "255.255.255.255" },
      /^E/,
      expect.stringMatching(/^0\.0\.0\.0:\d+$/) as unknown,
    ],
  ] as const)("fail with %s, later than in the call", async (_name, more, code, unconnected) => {
    const network = openNetwork(open);
    await using taken = await serve(() => {});
    const destination = to(await closedPort(), more === "taken" ? { localPort: taken.port } : more);
    const notes = new Notes();
    const calls: string[] = [];
    const failure = await new Promise<{ code: string; unconnected: string | undefined }>((resolve, reject) => {
      const socket = network.dial(destination, {
        connected: () => reject(new Error("connected")),
        failed: (errno, address) => {
          calls.push("failed");
          resolve({ code: codeOf(errno), unconnected: address });
        },
      });
      calls.push("dialled");
      socket.owner = notes;
    });
    expect(failure).toEqual({ code: expect.stringMatching(code) as unknown, unconnected });
    await notes.until(() => notes.isClosed);
    expect([calls, notes.ends]).toEqual([["dialled", "failed"], []]);
  });

  it("tell nothing of a dial that is given up, but that the socket is gone", async () => {
    const network = openNetwork(open);
    await using peer = await serve(() => {});
    const notes = new Notes();
    let outcomes = 0;
    const socket = network.dial(to(peer.port), { connected: () => outcomes++, failed: () => outcomes++ });
    socket.owner = notes;
    socket.reset();
    expect(socket.destroyed).toBe(true);
    await notes.until(() => notes.isClosed);
    expect(outcomes).toBe(0);
  });

  it("carry what is written before they are connected, and the FIN behind it", async () => {
    const network = openNetwork(open);
    let text = "";
    await using peer = await serve((socket) => void socket.on("data", (chunk) => (text += String(chunk))));
    const notes = new Notes();
    const socket = network.dial(to(peer.port), { connected: () => {}, failed: () => {} });
    socket.owner = notes;
    socket.write(Buffer.from("early"));
    socket.end();
    socket.resume();
    await notes.until(() => notes.isClosed);
    expect(text).toBe("early");
  });

  it("do not know where a connection came from that was reset before it was accepted, and hand it on all the same", async () => {
    const network = openNetwork(open);
    const tcp = nativeTcp();
    const COUNT = 20;
    const ports: (number | undefined)[] = [];
    let all: () => void = () => {};
    const arrived = new Promise<void>((resolve) => (all = resolve));
    const port = await new Promise<number>((ready) =>
      network.listen((socket, remotePort) => {
        socket.reset();
        ports.push(remotePort);
        if (ports.length === COUNT) all();
      }, ready),
    );
    for (let n = 0; n < COUNT; n++) {
      const handle = tcp.socket();
      tcp.connect(handle, 4, "127.0.0.1", port, () => {});
      handle.reset(() => {});
    }
    await arrived;
    expect(ports).toEqual(Array.from({ length: COUNT }, () => undefined));
  });

  it("take no connection any more once they are told so", async () => {
    const network = openNetwork(open);
    const port = await new Promise<number>((ready) => network.listen(() => {}, ready));
    network.close();
    const [error] = (await once(connect(port, "127.0.0.1"), "error")) as [NodeJS.ErrnoException];
    expect(error.code).toBe("ECONNREFUSED");
  });
});
