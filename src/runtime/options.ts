/** What `install()` takes, checked and with its defaults. */
import { FaultcoreError } from "../errors.ts";
import { parseSizeBytes } from "../internal/units.ts";
import { readSeed } from "./seed.ts";

export interface RuntimeOptions {
  readonly steer: "scoped" | "always";
  readonly windowBytes: number;
  readonly precision: "normal" | "fine";
}

export const DEFAULT_OPTIONS: RuntimeOptions = { steer: "scoped", windowBytes: 4 * 1024 * 1024, precision: "normal" };

export interface InstallOptions {
  /** Which connections go through the relay: those that are opened in a scope (default), or all, so that pools can be faulted later. */
  readonly steer?: "scoped" | "always" | undefined;
  /** Seed of the run, for policies without one. Default: FAULTCORE_SEED, else random. */
  readonly seed?: number | bigint | string | undefined;
  /**
   * Most bytes that a sender may have under way without an acknowledgement, per flow and direction, as a size (`"16mib"`). Default 4 MiB. It
   * bounds throughput to window ÷ round trip, and what is held in memory.
   */
  readonly window?: string | undefined;
  /**
   * `normal` (default): packets of a backlog that are due within 250 µs after the one before them leave together, at most so much too late, as
   * network cards coalesce interrupts. `fine`: each leaves at its time, and the last 1.5 ms before a deadline are spun away, for
   * delays that are exact to 0.1 ms, at the price of CPU.
   */
  readonly precision?: "normal" | "fine" | undefined;
}

const CHOICES: Readonly<Record<"steer" | "precision", readonly string[]>> = { steer: ["scoped", "always"], precision: ["normal", "fine"] };
const KNOWN: readonly string[] = ["steer", "seed", "window", "precision"];
const MIN_WINDOW_BYTES = 64 * 1024;

export function readInstallOptions(options: InstallOptions): Partial<RuntimeOptions> & { seed?: bigint } {
  if (typeof options !== "object" || options === null) throw invalid("options", "an object", options);
  for (const key of Object.keys(options)) if (!KNOWN.includes(key)) throw invalid(key, `one of ${KNOWN.join(", ")}`, key);
  for (const key of ["steer", "precision"] as const) {
    const value = options[key];
    if (value !== undefined && !(CHOICES[key] as readonly unknown[]).includes(value)) throw invalid(key, CHOICES[key].join(" or "), value);
  }
  const { steer, precision, seed, window } = options;
  return {
    ...(steer === undefined ? {} : { steer }),
    ...(precision === undefined ? {} : { precision }),
    ...(seed === undefined ? {} : { seed: readSeed(seed, "install({ seed })") }),
    ...(window === undefined ? {} : { windowBytes: readWindow(window) }),
  };
}

function readWindow(value: string): number {
  let bytes: number;
  try {
    bytes = parseSizeBytes(value);
  } catch (cause) {
    throw invalid("window", 'a size such as "4mib"', value, cause);
  }
  if (bytes < MIN_WINDOW_BYTES) throw invalid("window", "at least 64kib", value);
  return bytes;
}

function invalid(path: string, expected: string, value: unknown, cause?: unknown): FaultcoreError {
  return new FaultcoreError("ERR_FAULTCORE_INVALID_ARGUMENT", `install(): \`${path}\` must be ${expected}, not ${String(value)}.`, {
    path,
    expected,
    cause,
  });
}
