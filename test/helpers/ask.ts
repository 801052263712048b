/** One question to an echo server, and what a scope decided about it. */
import type { FaultScope } from "faultcore";
import { talk } from "./worker-peer.ts";

/** Connects, says one line, hears one and closes. */
export async function askOnce(port: number, line = "hello"): Promise<string> {
  const conversation = await talk({ port, host: "127.0.0.1" });
  try {
    return await conversation.ask(line);
  } finally {
    await conversation.close();
  }
}

/** What a scope decided, without times. */
export const decisions = (scope: FaultScope): string[] =>
  scope
    .events()
    .map(({ target, flow, direction, position, fault, decision, delayMs }) =>
      [target, flow, direction, position, fault, decision, fault === "jitter" ? delayMs : ""].join(" "),
    )
    .toSorted();
