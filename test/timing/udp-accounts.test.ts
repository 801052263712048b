// The accounts of datagrams on real loopback sockets.
import { once } from "node:events";
import { existsSync, readFileSync } from "node:fs";
import { onFault } from "faultcore";
import { afterEach, expect, test } from "vitest";
import { closeSockets, scopeOf, socket } from "../helpers/datagrams.ts";
import { nowMs } from "../helpers/measure.ts";
import { until } from "../helpers/runtime.ts";

afterEach(closeSockets);

/** What the kernel threw away because a socket was not read fast enough. */
function kernelDrops(): number {
  const [names = "", values = ""] = readFileSync("/proc/net/snmp", "utf8")
    .split("\n")
    .filter((line) => line.startsWith("Udp:"));
  const index = names.split(" ").indexOf("RcvbufErrors");
  return Number(values.split(" ")[index]);
}

test.skipIf(!existsSync("/proc/net/snmp"))(
  "100,000 datagrams: shares are those of the policy, and every one is accounted for",
  async () => {
    const N = 100_000;
    const IN_FLIGHT = 64;
    const seen = new Uint8Array(N);
    const sentMs = new Float64Array(N);
    let [arrived, extra, early, late, overtaken, highest] = [0, 0, 0, 0, 0, -1];
    const sink = socket();
    sink.bind(0, "127.0.0.1");
    await once(sink, "listening");
    sink.setRecvBufferSize(4 << 20);
    const scope = scopeOf({
      latency: "2ms",
      packetLoss: "5%",
      packetDuplicate: { prob: "3%", maxExtra: 2 },
      packetReorder: { prob: "4%", window: 3, maxDelay: "50ms" },
      seed: 11,
    });
    const dropsBefore = kernelDrops();
    let wake: (() => void) | undefined;
    sink.on("message", (bytes) => {
      const n = bytes.readUInt32LE(0);
      arrived++;
      if (seen[n]! > 0) extra++;
      else {
        const tookMs = nowMs() - sentMs[n]!;
        if (tookMs < 2) early++;
        if (tookMs > 1000) late++;
        if (n < highest) overtaken++;
        else highest = n;
      }
      seen[n]!++;
      wake?.();
    });
    const stop = onFault(({ fault, decision }) => {
      if (fault === "packet_loss") lost++;
      else if (fault === "packet_duplicate") copies += Number(decision.slice("extra x".length));
      else if (fault === "packet_reorder") reordered++;
    });
    let [lost, copies, reordered] = [0, 0, 0];
    await scope.run(async () => {
      const client = socket();
      client.connect(sink.address().port, "127.0.0.1");
      await once(client, "connect");
      const message = Buffer.alloc(64);
      for (let n = 0; n < N; n++) {
        // All that are not lost arrive, so this many are on their way.
        while (n + copies - lost - arrived >= IN_FLIGHT) {
          await new Promise<void>((resolve) => (wake = resolve));
          wake = undefined;
        }
        message.writeUInt32LE(n, 0);
        sentMs[n] = nowMs();
        client.send(message);
      }
      await until("all arrived", () => N + copies - lost - arrived - (kernelDrops() - dropsBefore) <= 0);
    });
    stop();
    const dropped = kernelDrops() - dropsBefore;
    const report = scope.report();
    expect(arrived + dropped).toBe(N + copies - lost);
    expect([early, late]).toEqual([0, 0]);
    expect(dropped).toBeLessThan(N / 100);
    // Five standard errors of a share p of n.
    const within = (count: number, n: number, p: number): void =>
      expect(Math.abs(count - n * p)).toBeLessThan(5 * Math.sqrt(n * p * (1 - p)));
    within(lost, N + copies, 0.05);
    within(report.faults["packet_duplicate"]!.count, N, 0.03);
    within(reordered, N + copies - lost, 0.04);
    expect(extra).toBeGreaterThan(0.8 * copies);
    expect(overtaken).toBeGreaterThan(0.03 * N);
    expect(report.faults["latency"]!.count).toBe(N + copies - lost);
    expect(report.faults["latency"]!.maxDelayMs).toBe(2);
  },
);
