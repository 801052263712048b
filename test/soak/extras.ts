/** Load that needs rules of its own: bytes that change, and activations, which act on everybody who is not in a scope. */
import dgram from "node:dgram";
import { once } from "node:events";
import net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { activate, withFaults } from "faultcore";
import type { PolicyFields } from "faultcore";
import { OPERATION_MS, WrongContent, within } from "./client.ts";
import type { Random } from "./random.ts";
import type { Tally } from "./tally.ts";

type Mutation = NonNullable<PolicyFields["payloadMutation"]>;

/** Each with the length that a text of a single packet has after it, on its way there alone. */
const MUTATIONS: readonly { readonly fields: Mutation; readonly length: (sent: number) => number }[] = [
  { fields: { type: "corrupt_bytes", corruptCount: 3 }, length: (sent) => sent },
  { fields: { type: "inject_bytes", injectData: "INJECTED", injectPosition: 4 }, length: (sent) => sent + 8 },
  { fields: { type: "truncate", truncateSize: "20b" }, length: () => 20 },
  { fields: { type: "swap_bytes", swapPos1: 0, swapPos2: 9 }, length: (sent) => sent },
];
const TEXT = "0123456789-the text that is to be changed, in a single packet";

/** Sends a text and a FIN, and gives what comes back until the other FIN. */
export async function overTcp(port: number): Promise<string> {
  const socket = net.connect({ host: "127.0.0.1", port });
  socket.setEncoding("latin1");
  let got = "";
  socket.on("data", (chunk: string) => (got += chunk));
  socket.end(TEXT);
  try {
    await within(OPERATION_MS, once(socket, "close"));
  } finally {
    socket.destroy();
  }
  return got;
}

async function overUdp(port: number): Promise<string> {
  const socket = dgram.createSocket("udp4");
  try {
    const answer = once(socket, "message");
    socket.send(TEXT, port, "127.0.0.1");
    const [bytes] = (await within(OPERATION_MS, answer)) as [Buffer];
    return bytes.toString("latin1");
  } finally {
    socket.close();
  }
}

/** In each scope exactly the mutation that it asks for, without one none. */
export async function mutate(random: Random, tally: Tally, ports: { tcp: number; udp: number }, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    const { fields, length } = random.pick(MUTATIONS);
    const [name, exchange] = random.chance(0.5)
      ? (["TCP", () => overTcp(ports.tcp)] as const)
      : (["UDP", () => overUdp(ports.udp)] as const);
    const label = `payload_mutation ${fields.type}`;
    try {
      const [changed, plain] = await Promise.all([
        withFaults({ payloadMutation: { ...fields, target: "uplink_only" } }, exchange),
        exchange(),
      ]);
      if (plain !== TEXT) throw new WrongContent(TEXT, plain);
      if (changed === TEXT || changed.length !== length(TEXT.length)) tally.violated(`${name}, ${label}: ${JSON.stringify(changed)}`);
      tally.ended(name, label, "ok");
    } catch (error) {
      tally.violated(`${name}, ${label}`, error);
    }
    await delay(random.between(50, 250), undefined, { signal }).catch(() => {});
  }
}

/** Activations come and go; they act on one port, whose users are in no scope. */
export async function activateNowAndThen(random: Random, tally: Tally, port: number, signal: AbortSignal): Promise<void> {
  const policy = (latency: string): PolicyFields => ({ latency, targets: [`tcp://127.0.0.1:${port}`] });
  const ask = async (leastMs: number, what: string): Promise<void> => {
    const began = performance.now();
    try {
      const got = await overTcp(port);
      if (got !== TEXT) throw new WrongContent(TEXT, got);
      tally.ended("TCP", what, "ok");
      const slackMs = performance.now() - began - leastMs;
      if (slackMs < 0) tally.violated(`${what}: ${-slackMs} ms too early`);
    } catch (error) {
      tally.violated(what, error);
    }
  };
  while (!signal.aborted) {
    const activation = activate(policy("6ms"));
    await Promise.all([1, 2, 3].map(() => ask(24, "activation")));
    activation.update(policy("3ms"));
    await Promise.all([1, 2, 3].map(() => ask(12, "activation, updated")));
    activation.dispose();
    await ask(0, "none, after an activation");
    await delay(random.between(200, 800), undefined, { signal }).catch(() => {});
  }
}
