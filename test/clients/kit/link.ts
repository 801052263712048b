/**
 * A network that really is bad, to hold the injected one against: a TCP forwarder that passes everything, until it is told to reset its
 * connections at their next bytes, or to fall silent for ever.
 */
import { once } from "node:events";
import net from "node:net";
import type { Socket } from "node:net";
import { withoutFaults } from "faultcore";
import { listen } from "../../helpers/peers.ts";

type Mode = "pass" | "reset" | "silent" | "dropped";

interface Pair {
  readonly program: Socket;
  readonly server: Socket;
  mode: Mode;
}

export interface Link extends AsyncDisposable {
  readonly port: number;
  /** How many connections it has forwarded. */
  accepted(): number;
  /** The connections that are open now reset at their next bytes, or are silent from now on. Later ones pass. */
  spoil(mode: "reset" | "silent"): void;
  /** Closes what is open, as a server does that restarts; resolves when the clients have closed it too. */
  drop(): Promise<void>;
}

/** Forwards to a loopback port. */
export async function startLink(port: number): Promise<Link> {
  const pairs = new Set<Pair>();
  const end = ({ program, server }: Pair): void => {
    program.resetAndDestroy();
    server.destroy();
  };
  const accept = (program: Socket): void => {
    const server = withoutFaults(() => net.connect({ host: "127.0.0.1", port, noDelay: true }));
    program.setNoDelay(true);
    const pair: Pair = { program, server, mode: "pass" };
    pairs.add(pair);
    const carry = (from: Socket, to: Socket): void => {
      from.on("data", (chunk: Buffer) => {
        if (pair.mode === "pass") to.write(chunk);
        else if (pair.mode === "reset") end(pair);
      });
      from.on("end", () => pair.mode === "silent" || to.end());
      from.on("error", () => pair.mode === "silent" || end(pair));
      from.on("close", () => {
        pairs.delete(pair);
        if (pair.mode === "silent") server.destroy();
      });
    };
    carry(program, server);
    carry(server, program);
  };
  const peer = await listen(net.createServer({ allowHalfOpen: true }, accept));
  return {
    port: peer.port,
    accepted: peer.accepted,
    spoil: (mode) => {
      for (const pair of pairs) pair.mode = mode;
    },
    drop: async () => {
      const closed = [...pairs].map(async (pair) => {
        const { program, server } = pair;
        pair.mode = "dropped";
        program.end();
        server.end();
        await once(program, "close");
      });
      await Promise.all(closed);
    },
    [Symbol.asyncDispose]: async () => {
      for (const pair of pairs) end(pair);
      await peer[Symbol.asyncDispose]();
    },
  };
}
