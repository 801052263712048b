/**
 * What a leak shows in: memory of both threads, descriptors, handles, rows of the table. Sampled once a second; `window()` closes a
 * window with a collection of garbage, so that the heap is what is still held.
 */
import { readFileSync, readdirSync, readlinkSync } from "node:fs";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { runtime } from "../helpers/runtime.ts";

const MB = 1e6;

export interface Window {
  readonly rssMb: number;
  readonly heapMb: number;
  readonly buffersMb: number;
  /** Of the relay's thread. */
  readonly relayHeapMb: number;
  readonly relayExternalMb: number;
  /** Means of the samples. */
  readonly flows: number;
  readonly scopes: number;
  readonly descriptors: number;
  readonly resources: number;
}

/** By how much a figure of the last window may be over that of the first: a share, and so much besides. */
export const TOLERANCE: Readonly<Record<keyof Window, readonly [share: number, plus: number]>> = {
  rssMb: [0.15, 40],
  heapMb: [0.15, 8],
  buffersMb: [0.15, 8],
  relayHeapMb: [0.25, 20],
  relayExternalMb: [0.25, 20],
  flows: [0.15, 15],
  scopes: [0.3, 15],
  descriptors: [0.15, 40],
  resources: [0.15, 40],
};

interface Report {
  readonly workers: readonly { readonly javascriptHeap: { readonly usedMemory: number; readonly externalMemory?: number } }[];
}

export interface Counts {
  readonly flows: number;
  readonly scopes: number;
  readonly descriptors: number;
  /** By kind: what keeps the process, as Node says. */
  readonly resources: Readonly<Record<string, number>>;
  /** Sockets, pipes and processes among them. */
  readonly handles: number;
}

export class Watch {
  readonly #table: { flowsLive(): number; scopesLive(): number };
  readonly #delay = monitorEventLoopDelay({ resolution: 5 });
  #samples: { flows: number; scopes: number; descriptors: number; resources: number; rss: number }[] = [];
  #began = performance.eventLoopUtilization();
  /** Of the load's time, the program's own loop. */
  busyPercent = 0;
  flowsAtPeak = 0;
  scopesAtPeak = 0;

  private constructor(table: { flowsLive(): number; scopesLive(): number }) {
    this.#table = table;
    // Without it, a report asks for the names of all peers.
    (process.report as unknown as { excludeNetwork: boolean }).excludeNetwork = true;
  }

  /** The load begins. */
  begin(): void {
    this.#delay.enable();
    this.#began = performance.eventLoopUtilization();
  }

  /** The load is over. */
  end(): void {
    this.#delay.disable();
    this.busyPercent = Math.round(performance.eventLoopUtilization(this.#began).utilization * 100);
  }

  static async start(): Promise<Watch> {
    return new Watch((await runtime()).table());
  }

  counts(): Counts {
    const resources: Record<string, number> = {};
    for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
    return {
      flows: this.#table.flowsLive(),
      scopes: this.#table.scopesLive(),
      // The folder's own descriptor is in it.
      descriptors: process.platform === "linux" ? readdirSync("/proc/self/fd").length - 1 : 0,
      resources,
      handles: ["TCPSocketWrap", "UDPWrap", "PipeWrap", "ProcessWrap"].reduce((sum, name) => sum + (resources[name] ?? 0), 0),
    };
  }

  sample(): void {
    const { flows, scopes, descriptors, resources } = this.counts();
    this.flowsAtPeak = Math.max(this.flowsAtPeak, flows);
    this.scopesAtPeak = Math.max(this.scopesAtPeak, scopes);
    const total = Object.values(resources).reduce((sum, count) => sum + count, 0);
    this.#samples.push({ flows, scopes, descriptors, resources: total, rss: process.memoryUsage.rss() });
  }

  window(): Window {
    gc?.();
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    const samples = this.#samples.splice(0);
    const mean = (of: (sample: (typeof samples)[number]) => number): number =>
      Math.round((samples.reduce((sum, sample) => sum + of(sample), 0) / Math.max(1, samples.length)) * 10) / 10;
    const heaps = (process.report.getReport() as unknown as Report).workers.map(({ javascriptHeap }) => javascriptHeap);
    const sum = (of: (heap: (typeof heaps)[number]) => number): number => heaps.reduce((total, heap) => total + of(heap), 0);
    return {
      rssMb: mean(({ rss }) => rss / MB),
      heapMb: round(heapUsed / MB),
      buffersMb: round(arrayBuffers / MB),
      relayHeapMb: round(sum(({ usedMemory }) => usedMemory) / MB),
      relayExternalMb: round(sum(({ externalMemory = 0 }) => externalMemory) / MB),
      flows: mean(({ flows }) => flows),
      scopes: mean(({ scopes }) => scopes),
      descriptors: mean(({ descriptors }) => descriptors),
      resources: mean(({ resources }) => resources),
    };
  }

  /** How late the program's own loop was, in ms: the median, the 99th percentile, the most. */
  lateness(): readonly [number, number, number] {
    const ms = (ns: number): number => round(ns / 1e6);
    return [ms(this.#delay.percentile(50)), ms(this.#delay.percentile(99)), ms(this.#delay.max)];
  }
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

/** Which of the servers this process still has connections to, of its own or of the relay. */
export function connectedTo(places: Readonly<Record<string, unknown>>): string[] {
  if (process.platform !== "linux") return [];
  const nameOf = new Map(Object.entries(places).map(([name, port]) => [port, name]));
  const remotes = new Map<string, number>();
  for (const line of readFileSync("/proc/self/net/tcp", "utf8").split("\n")) {
    const [, , remote = "", , , , , , , inode = ""] = line.trim().split(/\s+/);
    remotes.set(`socket:[${inode}]`, Number.parseInt(remote.split(":")[1] ?? "", 16));
  }
  return readdirSync("/proc/self/fd").flatMap((descriptor) => {
    try {
      const name = nameOf.get(remotes.get(readlinkSync(`/proc/self/fd/${descriptor}`)));
      return name === undefined ? [] : [name];
    } catch {
      return [];
    }
  });
}

/** Which figures grew beyond their tolerance, for people. */
export function grown(first: Window, last: Window): string[] {
  return (Object.keys(TOLERANCE) as (keyof Window)[])
    .filter((key) => last[key] > first[key] * (1 + TOLERANCE[key][0]) + TOLERANCE[key][1])
    .map((key) => `${key}: ${first[key]} → ${last[key]}`);
}
